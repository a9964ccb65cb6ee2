"""Tunewright and other optimizers side by side on 25 Bayesmark tasks: `python -m benchmarks.bayesmark --help`."""
