"""A dataclass handed to tyro; nested fields have dots."""

from dataclasses import dataclass, field
from typing import Literal

import tyro


@dataclass
class Optimizer:
    lr: float = 3e-4  # peak step size
    beta1: float = 0.9
    nesterov: bool = False


@dataclass
class Args:
    # smoothing of the labels
    label_smoothing: float = 0.1
    kind: Literal["a", "b"] = "a"
    layers: int = 4
    """How many layers."""
    seed: int = 1
    optimizer: Optimizer = field(default_factory=Optimizer)
    tags: list[str] = field(default_factory=list)


if __name__ == "__main__":
    args = tyro.cli(Args)
    print("val_loss: %.4f" % args.optimizer.lr)  # noqa: UP031
