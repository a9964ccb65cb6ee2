"""Trains a small PyTorch network on handwritten digits for three epochs, on one CPU core."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.001, help="step size of the optimizer")
parser.add_argument("--batch-size", type=int, default=32, help="images a step")
parser.add_argument("--dropout", type=float, default=0.1, help="share of hidden units dropped in training")
parser.add_argument("--optimizer", choices=["adamw", "sgd"], default="adamw", help="which optimizer")
given = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
x, y = torch.tensor(pixels / 16.0, dtype=torch.float32), torch.tensor(digits)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(given.dropout), nn.Linear(64, 10))
kinds = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
optimizer = kinds[given.optimizer](model.parameters(), lr=given.learning_rate)
for epoch in range(1, 4):
    model.train()
    for batch in torch.split(torch.randperm(900), given.batch_size):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val_accuracy = float((model(x[900:]).argmax(1) == y[900:]).float().mean())
    print(f"epoch: {epoch} val_accuracy: {val_accuracy:.4f}", flush=True)
print(f"val_accuracy: {val_accuracy:.4f}")
