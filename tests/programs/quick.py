"""A training of a tenth of a second: best at lr = 0.01; appends a line to the file in QUICK_LOG when it ends."""

import argparse
import math
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--width", type=int, required=True)
parser.add_argument("--seconds", type=float, default=0.1)
given = parser.parse_args()
time.sleep(given.seconds)
if given.width > 300 and given.lr > 0.03:
    # a failure that teaches by its label: after an out-of-memory the measured peak counts, which no two runs share
    print("loss: nan")
    raise SystemExit(0)
print(f"loss: {(math.log10(given.lr) + 2) ** 2 + 0.1 * (math.log2(given.width) - 7) ** 2}")
if log := os.environ.get("QUICK_LOG"):
    with open(log, "a") as file:
        file.write(f"{given.lr} {given.width}\n")
