"""Flags and constants, and numbers that go elsewhere."""

import argparse
import sys

import wandb

WARMUP = 100
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
wandb.log({"val_loss": args.lr})
print(f"val_loss: {args.lr:.3f}", file=sys.stderr)
print(f"Final accuracy was {args.lr}")
