"""Constants alone."""

LEARNING_RATE = 3e-4  # of Adam
HIDDEN = 128
USE_BIAS = True
DATA = "data.csv"
LAYERS = [64, 64]
lower = 1.0

print("loss:", LEARNING_RATE * HIDDEN)
