"""What trainers of labelled examples share: which examples a step takes, and their optimizer."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from .torch_errors import ConflictError
from .torch_loop import Task

if TYPE_CHECKING:
    import numpy as np
    import torch


class Epochs(Task):
    """A task with examples that are all seen once an epoch, each epoch in an order of its own.

    Args:
        given: the checked options of `torch_options`.
        examples: how many there are to train on.
        digest: of the data.

    Raises:
        ConflictError: they are fewer than a batch.
    """

    unit = "samples"

    def __init__(self, given: Any, examples: int, digest: str) -> None:
        self.given, self.examples, self.digest = given, examples, digest
        self.step_size = given.batch_size
        self.epoch_steps = examples // given.batch_size
        if not self.epoch_steps:
            raise ConflictError(f"--batch-size {given.batch_size} is above the {examples} training examples")
        self.steps = None
        if given.epochs is not None:  # 1.1 epochs of 10 steps are 11.000000000000002
            self.steps = math.ceil(given.epochs * self.epoch_steps * (1 - 1e-12))
        self._order: tuple[int | None, Any] = (None, None)

    def check_norm(self) -> None:
        """For a network whose batch normalization has no deviation to divide by where it sees one example alone.

        Raises:
            ConflictError: that is what a batch, or the last part of each, is.
        """
        size, part = self.given.batch_size, self.given.device_batch
        if 1 in (part, size % part):
            cut = "" if part == size else f" in parts of --device-batch {part}"
            raise ConflictError(f"--batch-size {size}{cut} leaves batch normalization with a single example")

    @abstractmethod
    def rows(self, picked: "np.ndarray[Any, Any]", random: "np.random.Generator") -> tuple["torch.Tensor", ...]:
        """The examples of these numbers, each tensor with one row an example; `random` for augmentation."""

    def batch(self, step: int) -> tuple["torch.Tensor", ...]:
        """The examples of this step; what is left of an epoch after its whole batches is passed over."""
        import numpy as np

        epoch, place = divmod(step, self.epoch_steps)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self.given.seed, 0, epoch]).permutation(self.examples))
        picked = self._order[1][place * self.step_size :][: self.step_size]
        return self.rows(picked, np.random.default_rng([self.given.seed, 1, step]))

    def optimizers(self) -> "list[torch.optim.Optimizer]":
        """One: matrices, kernels and embeddings decay; biases, norms, places and frequencies do not."""
        import torch

        given = self.given
        trained = [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
        decayed = [weight for name, weight in trained if name.endswith("weight") and weight.dim() >= 2]
        rest = [weight for name, weight in trained if not (name.endswith("weight") and weight.dim() >= 2)]
        groups = [{"params": decayed, "weight_decay": given.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        if given.optimizer == "sgd":
            nesterov = given.momentum > 0
            return [torch.optim.SGD(groups, lr=given.learning_rate, momentum=given.momentum, nesterov=nesterov)]
        return [torch.optim.AdamW(groups, lr=given.learning_rate, betas=(given.beta1, given.beta2))]

    def place(self, step: int) -> str:
        """`epoch=`, whole or part."""
        return f"epoch={step / self.epoch_steps:.4g}"

    def costs(self, speed: float) -> dict[str, float]:
        """Nothing more."""
        return {}
