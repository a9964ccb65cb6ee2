"""The training loop of `torch_lm`, `torch_vision`, `torch_tabular` and `finetune`: what each learns is a `Task`.

At each evaluation it prints `step=... epoch=... train_loss=...`, the task's own metrics, `seconds=... grad_norm=...
samples_per_second=...` on one line (`torch_lm` counts tokens instead of epochs and samples), and at the end the metrics
on lines of their own. `seconds` and the budget count training steps alone, without evaluations and without the first
step of each process, in which torch.compile works.

With `--checkpoint FILE` the whole state is written there at each evaluation and when the run is asked to end; a run
that finds the file goes on from it. With `--epochs` or `--tokens` it ends at the numbers that the undisturbed run would
have: what a step trains on follows from the seed and the step's number alone. With `--seconds` the seconds used up to
the checkpoint count, and the learning rate goes on from their share; how many steps fit into the rest is up to the
machine, as it is without a break. On a GPU a network that has an operation without a deterministic form ends near those
numbers alone, and a line says so. Where a loss is no longer finite it prints `status: diverged` and ends with 3.
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
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import torch_checkpoint
from .torch_device import half_precision, open_device
from .torch_options import NOT_STATE

if TYPE_CHECKING:
    import torch

EXIT_DIVERGED = 3
EXIT_ASKED = 128 + signal.SIGTERM

_T = TypeVar("_T")


class Task(Protocol):
    """What is learned, and how it is measured; `torch_epochs` has what is the same for all that train by epochs."""

    model: "torch.nn.Module"
    digest: str
    """Of the data, so that a checkpoint is not taken up with other data."""
    unit: str
    """What speed is counted in: `samples` or `tokens`."""
    step_size: int
    """How many of these a step takes."""
    steps: int | None
    """The budget; None where it is `--seconds`."""

    def optimizers(self) -> "list[torch.optim.Optimizer]":
        """Those that train the model, each group with its peak learning rate."""

    def batch(self, step: int) -> tuple["torch.Tensor", ...]:
        """What this step trains on, each tensor with one row an example; the same whenever it is asked for."""

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """What these rows of a batch add to the batch's mean loss."""

    def evaluate(self, model: Any) -> dict[str, float]:
        """The metrics on the validation examples; gradients are off and the model is in its evaluation mode."""

    def place(self, step: int) -> str:
        """How far that step is in the task's own terms: `epoch=1.5`, `tokens=4096`."""

    def costs(self, speed: float) -> dict[str, float]:
        """What else the run needed, at so many units a second."""


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
        TrainingError: the device is not there, or the task cannot be made.
    """

    def __init__(self, given: Any, make: Callable[["torch.device"], Task]) -> None:
        import torch
        from torch.optim.swa_utils import AveragedModel

        # cuBLAS is deterministic only with this, set before it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_num_threads(given.threads)
        torch.manual_seed(given.seed)
        torch.set_float32_matmul_precision("high")
        self.given, self.progress, self.asked = given, Progress(), False
        self.warm, self.began = False, 0.0
        """Whether this process has done a step, and when the one under way began."""
        self.device = open_device(given.device)
        self.half = half_precision(given.amp, self.device)
        self.task = make(self.device)
        # No warnings alone: with these the attention of a GPU is not deterministic, although it could be.
        torch.use_deterministic_algorithms(True)
        self.model = self.task.model
        self.frozen = {name for name, weight in self.model.named_parameters() if not weight.requires_grad}
        """Weights that no training changes; they are not in the checkpoint."""
        self.forward: Any = torch.compile(self.model) if given.compile == "on" else self.model
        self.optimizers = self.task.optimizers()
        for group in self.groups():
            group["peak_lr"] = group["lr"]
        self.average = None
        if given.ema:
            self.average = AveragedModel(self.model, avg_fn=_ema(given.ema), use_buffers=True)
        # What must be the same for a checkpoint to be this run's: of the data what is in it, not its path.
        self.identity = {key: value for key, value in vars(given).items() if key not in NOT_STATE}
        self.identity |= {"data": self.task.digest, "torch": str(torch.__version__), "device": self.device.type}

    def groups(self) -> list[dict[str, Any]]:
        """The groups of weights of all optimizers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def share(self, ahead: bool = False) -> float:
        """How much of the budget is used, 0 to 1, or will be at the end of the step under way."""
        progress = self.progress
        if self.task.steps is not None:
            return (progress.step + ahead) / self.task.steps
        seconds, timed = progress.seconds, progress.timed_steps
        if ahead and self.warm:  # by the mean step; the first that counts has only itself to go by
            seconds += seconds / timed if timed else time.monotonic() - self.began
        return min(1.0, seconds / float(self.given.seconds))

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

    def step(self) -> bool:
        """Train on one batch; whether the loss stayed finite."""
        import torch

        given, progress = self.given, self.progress
        whole = self.task.batch(progress.step)
        losses = []
        for part in zip(*(torch.split(tensor, given.device_batch) for tensor in whole), strict=True):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                loss = self.task.loss(self.forward, part, whole)
            torch.autograd.backward(loss)
            losses.append(loss.detach().double())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), given.grad_clip or math.inf)
        # At the step's end, as a warmup that begins at its start would waste the first step.
        factor = self.rate(self.share(ahead=True))
        for group in self.groups():
            group["lr"] = group["peak_lr"] * factor
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.model)
        # Read when all of the step is under way: each number that is read waits for the GPU.
        progress.losses.append(float(torch.stack(losses).sum()))
        progress.grad_norm = max(progress.grad_norm, float(norm))
        progress.step += 1
        return math.isfinite(progress.losses[-1])

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
        while self.share() < 1:
            self.began = time.monotonic()
            if not self._certain(self.step):
                return _diverged()
            if on_gpu:
                torch.cuda.synchronize()
            if self.warm:
                progress.seconds += time.monotonic() - self.began
                progress.timed_steps += 1
            self.warm = True
            due = math.floor(self.share() * self.given.evaluations + 1e-9)
            if due > progress.evaluated:
                progress.evaluated, progress.metrics = due, self._certain(self.evaluate)
                if not all(math.isfinite(value) for value in progress.metrics.values()):
                    return _diverged()
                self.say_point()
                self.save()
            if self.asked:
                self.save()
                return EXIT_ASKED
        self.say_end()
        return 0

    def _certain(self, work: Callable[[], _T]) -> _T:
        """What a step or an evaluation gives; done again, and said, where it cannot be deterministic."""
        import torch

        try:
            return work()
        except RuntimeError as e:
            if torch.is_deterministic_algorithms_warn_only_enabled() or "deterministic" not in str(e):
                raise
            print(f"not the same twice: {str(e).splitlines()[0]}", flush=True)
        torch.use_deterministic_algorithms(True, warn_only=True)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        return work()

    def say_point(self) -> None:
        """Print one point of the curve, and begin to collect for the next."""
        progress = self.progress
        words = [f"step={progress.step}", self.task.place(progress.step)]
        words.append(f"train_loss={_digits(sum(progress.losses) / len(progress.losses))}")
        words += [f"{name}={_digits(value)}" for name, value in progress.metrics.items()]
        words += [f"seconds={progress.seconds:.2f}", f"grad_norm={progress.grad_norm:.4g}"]
        words += [f"{self.task.unit}_per_second={_digits(speed)}" for speed in self.speed()]
        print(*words, flush=True)
        progress.printed.append(" ".join(words))
        progress.losses, progress.grad_norm = [], 0.0

    def speed(self) -> list[float]:
        """Units of the task a second; empty before the second step."""
        timed = self.progress.timed_steps * self.task.step_size
        return [timed / self.progress.seconds] if self.progress.seconds else []

    def say_end(self) -> None:
        """Print the metrics and what the run needed."""
        import torch

        for name, value in self.progress.metrics.items():
            print(f"{name}: {_digits(value)}")
        trained = [weight.numel() for weight in self.model.parameters() if weight.requires_grad]
        print(f"parameters: {sum(trained)}")
        if self.device.type == "cuda":
            print(f"peak_gpu_bytes: {torch.cuda.max_memory_reserved()}")
        for speed in self.speed():
            print(f"{self.task.unit}_per_second: {_digits(speed)}")
            for name, value in self.task.costs(speed).items():
                print(f"{name}: {_digits(value)}")
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
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        torch_checkpoint.write(Path(self.given.checkpoint), state)

    def resume(self) -> None:
        """Go on from the checkpoint where there is one, after printing the points that it has.

        Raises:
            TrainingError: it is another run's, or cannot be read, or its folder can hold none.
        """
        import torch

        if not self.given.checkpoint or (state := torch_checkpoint.read(self.given.checkpoint, self.identity)) is None:
            return
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"], strict=not self.frozen)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"])
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


def _digits(value: float) -> str:
    """The digits that float32 has, wherever the point is: an error of a millionth is not 0, nor is half a sample."""
    return f"{value:.7g}"


def _diverged() -> int:
    print("status: diverged", flush=True)
    return EXIT_DIVERGED


def _ema(decay: float) -> Any:
    """The averaged weight after a step. The decay grows to its value, or the first weights would stay for long."""

    def averaged(average: "torch.Tensor", weight: "torch.Tensor", steps: "torch.Tensor") -> "torch.Tensor":
        if not average.is_floating_point():  # a counter of batches
            return weight
        now = ((1 + steps) / (10 + steps)).clamp(max=decay)  # on the device: as a number it would wait for the GPU
        return average + (1 - now) * (weight - average)

    return averaged
