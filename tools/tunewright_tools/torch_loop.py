"""The training loop of `torch_vision`, `torch_tabular` and `finetune`: what each learns is a `Task`.

At each evaluation it prints `step=... epoch=... train_loss=...`, the task's own metrics, `seconds=... grad_norm=...
samples_per_second=...` on one line, and at the end the metrics on lines of their own. `seconds` and the budget count
training steps alone, without evaluations and without the first step of each process, in which torch.compile works.

With `--checkpoint FILE` the whole state is written there at each evaluation and when the run is asked to end; a run
that finds the file goes on from it, and with `--epochs` ends at the numbers that the undisturbed run would have: the
examples of a step, their order and what is done to them follow from the seed and the step's number alone. Where a loss
is no longer finite it prints `status: diverged` and ends with 3.
"""

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .torch_device import open_device
from .torch_options import NOT_STATE

if TYPE_CHECKING:
    import numpy as np
    import torch

EXIT_DIVERGED = 3
EXIT_ASKED = 128 + signal.SIGTERM


class TrainingError(Exception):
    """Something given that cannot be trained on; the message says what would do."""


class Task(Protocol):
    """What is learned, and how it is measured."""

    model: "torch.nn.Module"
    examples: int
    """How many there are to train on."""
    digest: str
    """Of the data, so that a checkpoint is not taken up with other data."""

    def batch(self, picked: "np.ndarray[Any, Any]", random: "np.random.Generator") -> tuple["torch.Tensor", ...]:
        """The examples of these numbers, each tensor with one row an example; `random` for augmentation."""

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """What these rows of a batch add to the batch's mean loss."""

    def evaluate(self, model: Any) -> dict[str, float]:
        """The metrics on the validation examples; gradients are off and the model is in its evaluation mode."""


@dataclass
class Progress:
    """How far a run is; all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    timed_steps: int = 0
    """How many `seconds` counts."""
    evaluated: int = 0
    losses: list[float] = field(default_factory=list)
    """Training loss of each step since the last evaluation."""
    grad_norm: float = 0.0
    """The largest since the last evaluation."""
    metrics: dict[str, float] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)


class Run:
    """One training run.

    Args:
        given: the checked options of `torch_options`.
        make: the task, given the device; it is called once the random numbers are seeded.

    Raises:
        TrainingError: the task cannot be made, or it has fewer examples than a batch.
    """

    def __init__(self, given: Any, make: Callable[["torch.device"], Task]) -> None:
        import torch
        from torch.optim.swa_utils import AveragedModel

        # cuBLAS is deterministic only with this, set before it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_num_threads(given.threads)
        torch.manual_seed(given.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_float32_matmul_precision("high")
        self.given, self.progress, self.asked = given, Progress(), False
        self.device = open_device(given.device)
        self.half = given.amp == "bfloat16" or (given.amp == "auto" and self.device.type == "cuda")
        self.task = make(self.device)
        self.epoch_steps = self.task.examples // given.batch_size
        if not self.epoch_steps:
            raise TrainingError(f"--batch-size {given.batch_size} is above the {self.task.examples} training examples")
        self.steps: int | None = None if given.epochs is None else math.ceil(given.epochs * self.epoch_steps)
        self.model = self.task.model
        self.frozen = {name for name, weight in self.model.named_parameters() if not weight.requires_grad}
        """Weights that no training changes; they are not in the checkpoint."""
        self.forward: Any = torch.compile(self.model) if given.compile == "on" else self.model
        self.optimizer = _optimizer(self.model, given)
        self.average = None
        if given.ema:
            self.average = AveragedModel(self.model, avg_fn=_ema(given.ema), use_buffers=True)
        # What must be the same for a checkpoint to be this run's: of the data what is in it, not its path.
        self.identity = {key: value for key, value in vars(given).items() if key not in NOT_STATE}
        self.identity |= {"data": self.task.digest, "torch": str(torch.__version__), "device": self.device.type}

    def share(self, ahead: int = 0) -> float:
        """How much of the budget is used, 0 to 1, or will be after some more steps of the mean length."""
        step = self.progress.step
        if self.steps is not None:
            return (step + ahead) / self.steps
        return min(1.0, self.progress.seconds * (1 + ahead / max(1, step)) / float(self.given.seconds))

    def rate(self, share: float) -> float:
        """The learning rate at this share of the budget, over the peak."""
        given = self.given
        if share < given.warmup:
            return share / float(given.warmup)
        if given.schedule == "constant":
            return 1.0
        left = (1 - share) / (1 - given.warmup)
        if given.schedule == "cosine":
            left = (1 - math.cos(math.pi * left)) / 2
        return float(given.min_lr_ratio + (1 - given.min_lr_ratio) * left)

    def picked(self) -> "np.ndarray[Any, Any]":
        """The numbers of this step's examples; what is left of an epoch after its whole batches is passed over."""
        import numpy as np

        epoch, place = divmod(self.progress.step, self.epoch_steps)
        order = np.random.default_rng([self.given.seed, 0, epoch]).permutation(self.task.examples)
        return order[place * self.given.batch_size :][: self.given.batch_size]

    def step(self) -> bool:
        """Train on one batch; whether the loss stayed finite."""
        import numpy as np
        import torch

        given, progress = self.given, self.progress
        random = np.random.default_rng([given.seed, 1, progress.step])
        whole = self.task.batch(self.picked(), random)
        loss_sum = 0.0
        for part in zip(*(torch.split(tensor, given.device_batch) for tensor in whole), strict=True):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                loss = self.task.loss(self.forward, part, whole)
            torch.autograd.backward(loss)
            loss_sum += float(loss.detach())
        limit = given.grad_clip or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        progress.grad_norm = max(progress.grad_norm, norm)
        # At the step's end, as a warmup that begins at its start would waste the first step.
        rate = given.learning_rate * self.rate(self.share(ahead=1))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.model)
        progress.losses.append(loss_sum)
        progress.step += 1
        return math.isfinite(loss_sum)

    def evaluate(self) -> dict[str, float]:
        """The task's metrics, of the averaged weights where there are any."""
        import torch

        model = self.model if self.average is None else self.average
        model.eval()
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            metrics = self.task.evaluate(model)
        self.model.train()
        return metrics

    def train(self) -> int:
        """Train to the end of the budget; the exit code."""
        import torch

        progress, on_gpu = self.progress, self.device.type == "cuda"
        if on_gpu:  # said before it can run out of memory
            total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
            print(f"total_gpu_bytes: {total}", flush=True)
        self.model.train()
        warm = False
        while self.share() < 1:
            began = time.monotonic()
            if not self.step():
                return _diverged()
            if on_gpu:
                torch.cuda.synchronize()
            if warm:
                progress.seconds += time.monotonic() - began
                progress.timed_steps += 1
            warm = True
            due = math.floor(self.share() * self.given.evaluations + 1e-9)
            if due > progress.evaluated:
                progress.evaluated, progress.metrics = due, self.evaluate()
                if not all(math.isfinite(value) for value in progress.metrics.values()):
                    return _diverged()
                self.say_point()
                self.save()
            if self.asked:
                self.save()
                return EXIT_ASKED
        self.say_end()
        return 0

    def say_point(self) -> None:
        """Print one point of the curve, and begin to collect for the next."""
        progress = self.progress
        words = [f"step={progress.step}", f"epoch={progress.step / self.epoch_steps:.4g}"]
        words.append(f"train_loss={sum(progress.losses) / len(progress.losses):.5f}")
        words += [f"{name}={value:.5f}" for name, value in progress.metrics.items()]
        words += [f"seconds={progress.seconds:.2f}", f"grad_norm={progress.grad_norm:.4g}"]
        words += [f"samples_per_second={speed:.0f}" for speed in self.speed()]
        print(*words, flush=True)
        progress.printed.append(" ".join(words))
        progress.losses, progress.grad_norm = [], 0.0

    def speed(self) -> list[float]:
        """Examples a second; empty before the second step."""
        timed = self.progress.timed_steps * self.given.batch_size
        return [timed / self.progress.seconds] if self.progress.seconds else []

    def say_end(self) -> None:
        """Print the metrics and what the run needed."""
        import torch

        for name, value in self.progress.metrics.items():
            print(f"{name}: {value:.5f}")
        trained = [weight.numel() for weight in self.model.parameters() if weight.requires_grad]
        print(f"parameters: {sum(trained)}")
        if self.device.type == "cuda":
            print(f"peak_gpu_bytes: {torch.cuda.max_memory_reserved()}")
        for speed in self.speed():
            print(f"samples_per_second: {speed:.0f}")
        sys.stdout.flush()

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        import torch

        if not self.given.checkpoint:
            return
        state = {
            "identity": self.identity,
            "progress": asdict(self.progress),
            "model": {name: value for name, value in self.model.state_dict().items() if name not in self.frozen},
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        path = Path(self.given.checkpoint)
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written = path.with_name(path.name + ".part")
        torch.save(state, half_written)
        half_written.replace(path)

    def resume(self) -> None:
        """Go on from the checkpoint where there is one, after printing the points that it has.

        Raises:
            TrainingError: it is another run's.
        """
        import torch

        if not self.given.checkpoint or not Path(self.given.checkpoint).exists():
            return
        state = torch.load(self.given.checkpoint, map_location=self.device, weights_only=True)
        now, then = self.identity, state["identity"]
        if other := [key for key in now if now[key] != then.get(key)]:
            said = ", ".join(f"{key} {then.get(key)} (now {now[key]})" for key in other)
            raise TrainingError(f"the checkpoint {self.given.checkpoint} is of another run: {said}; name another file")
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"], strict=not self.frozen)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"].cpu())
        for line in self.progress.printed:
            print(line, flush=True)


def go(given: Any, make: Callable[["torch.device"], Task]) -> int:
    """Train from the start or from the checkpoint.

    Returns:
        Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state).

    Raises:
        TrainingError: something given cannot be trained on.
    """
    run = Run(given, make)
    run.resume()
    with contextlib.suppress(ValueError):  # a signal handler belongs to the main thread alone
        signal.signal(signal.SIGTERM, lambda *_: setattr(run, "asked", True))
    return run.train()


def _diverged() -> int:
    print("status: diverged", flush=True)
    return EXIT_DIVERGED


def _optimizer(model: "torch.nn.Module", given: Any) -> "torch.optim.Optimizer":
    """Matrices, kernels and embeddings decay; biases, norms, places and frequencies do not."""
    import torch

    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    decayed = [weight for name, weight in trained if name.endswith("weight") and weight.dim() >= 2]
    rest = [weight for name, weight in trained if not (name.endswith("weight") and weight.dim() >= 2)]
    groups = [{"params": decayed, "weight_decay": given.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    if given.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=given.learning_rate, momentum=given.momentum, nesterov=given.momentum > 0)
    return torch.optim.AdamW(groups, lr=given.learning_rate, betas=(given.beta1, given.beta2))


def _ema(decay: float) -> Any:
    """The averaged weight after a step. The decay grows to its value, or the first weights would stay for long."""

    def averaged(average: "torch.Tensor", weight: "torch.Tensor", steps: "torch.Tensor") -> "torch.Tensor":
        if not average.is_floating_point():  # a counter of batches
            return weight
        now = ((1 + steps) / (10 + steps)).clamp(max=decay)  # on the device: as a number it would wait for the GPU
        return average + (1 - now) * (weight - average)

    return averaged
