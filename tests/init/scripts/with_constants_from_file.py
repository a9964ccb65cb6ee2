"""Constants that a run may replace."""

import json
import os

LEARNING_RATE = 3e-4
HIDDEN = 128
if "TUNEWRIGHT_CONFIG" in os.environ:
    globals().update(json.load(open(os.environ["TUNEWRIGHT_CONFIG"])))  # noqa: SIM115

print("loss:", abs(LEARNING_RATE - 1e-3) * HIDDEN)
