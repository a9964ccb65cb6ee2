"""Values that the script takes from the file by name."""

import json
import os

config = json.load(open(os.environ["TUNEWRIGHT_CONFIG"])) if "TUNEWRIGHT_CONFIG" in os.environ else {}  # noqa: SIM115
rate = float(config.get("rate", 0.01))
print("loss:", rate * config.get("layers", 2))
