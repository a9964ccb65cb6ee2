"""Subcommands with shared options."""

import argparse

common = argparse.ArgumentParser(add_help=False)
common.add_argument("--width", type=int, default=64)

parser = argparse.ArgumentParser()
parser.add_argument("--level", type=float, default=0.5)
commands = parser.add_subparsers(dest="command", required=True)
p = commands.add_parser("train", parents=[common])
p.add_argument("--lr", type=float, default=0.1)
p = commands.add_parser("evaluate", parents=[common])
p.add_argument("--temperature", type=float, default=1.0)

if __name__ == "__main__":
    args = parser.parse_args()
    print("score:", args.level * args.width)
