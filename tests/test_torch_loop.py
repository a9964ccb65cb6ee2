"""The loop that trainers share, on a task whose right answers are known: the mean of numbers."""

import argparse
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import nothing_stays, numbers

from tunewright_tools import torch_loop
from tunewright_tools.torch_epochs import Epochs
from tunewright_tools.torch_errors import ConflictError, TrainingError
from tunewright_tools.torch_loop import Run
from tunewright_tools.torch_options import add_epochs, add_training, check_epochs


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays():
        yield


class Numbers(Epochs):
    """Learns the mean of 0 to 9 as one weight, by squared error; keeps what it was shown."""

    def __init__(self, given: Any, examples: int = 10) -> None:
        super().__init__(given, examples, "numbers")
        self.model: torch.nn.Module = torch.nn.Linear(1, 1)
        torch.nn.init.zeros_(self.model.weight)
        torch.nn.init.zeros_(self.model.bias)
        self.shown: list[list[int]] = []

    def rows(self, picked: Any, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        self.shown.append(picked.tolist())
        return (torch.tensor(picked, dtype=torch.float32)[:, None],)

    def loss(self, forward: Any, part: tuple[torch.Tensor, ...], whole: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return (forward(torch.ones_like(part[0])) - part[0]).square().sum() / len(whole[0])

    def evaluate(self, model: Any) -> dict[str, float]:
        return {"val_loss": float((model(torch.ones(1, 1)) - 4.5).square())}


class Asked(Numbers):
    """Is asked to end in its fifth step."""

    def rows(self, picked: Any, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        if len(self.shown) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().rows(picked, random)


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_training(parser)
    add_epochs(parser)
    given = parser.parse_args(["--device=cpu", "--batch-size=5", *argv])
    check_epochs(parser, given)
    return given


def run(*argv: str) -> tuple[Run, Numbers]:
    given = options(*argv)
    task = Numbers(given)
    return Run(given, lambda device: task), task


@pytest.mark.parametrize(("epochs", "steps"), [("0.07", 7), ("1.1", 110), ("0.071", 8), ("1e-9", 1)])
def test_a_part_of_an_epoch_is_rounded_up_to_whole_steps_and_not_beyond(epochs: str, steps: int) -> None:
    assert Numbers(options(f"--epochs={epochs}", "--batch-size=1"), 100).steps == steps


def test_each_epoch_shows_every_example_once_in_its_own_order() -> None:
    made, task = run("--epochs=3", "--evaluations=1")
    assert made.train() == 0
    epochs = [task.shown[at] + task.shown[at + 1] for at in (0, 2, 4)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_gradients_in_parts_are_those_of_the_whole_batch() -> None:
    ends = []
    for size in ("5", "2"):
        made, _ = run("--epochs=20", f"--device-batch={size}", "--optimizer=sgd", "--learning-rate=0.02")
        made.train()
        ends.append(made.progress.metrics["val_loss"])
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)
    assert ends[0] < 1


def test_the_learning_rate_rises_and_falls() -> None:
    made, _ = run("--epochs=10", "--warmup=0.2", "--schedule=cosine", "--min-lr-ratio=0.1")
    assert [made.rate(share) for share in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.5, 1.0, 0.55, 0.1])
    made, _ = run("--epochs=10", "--warmup=0", "--schedule=linear")
    assert [made.rate(share) for share in (0.0, 0.25, 1.0)] == pytest.approx([1.0, 0.75, 0.0])
    made, _ = run("--epochs=10", "--schedule=constant")
    assert made.rate(0.9) == 1.0


def test_only_matrices_decay() -> None:
    made, _ = run("--epochs=1", "--weight-decay=0.3")
    assert [(len(group["params"]), group["weight_decay"]) for group in made.groups()] == [
        (1, 0.3),
        (1, 0.0),
    ]


def test_the_average_follows_the_formula() -> None:
    made, _ = run("--epochs=20", "--ema=0.3", "--learning-rate=0.1")
    expected: float | None = None
    for step in range(12):
        made.step()
        assert made.average is not None
        weight = float(made.model.bias.detach())  # type: ignore[arg-type, operator, union-attr]
        decay = min(0.3, (1 + step) / (10 + step))
        expected = weight if expected is None else decay * expected + (1 - decay) * weight
        assert float(made.average.module.bias.detach()) == pytest.approx(expected, rel=1e-5)


def test_operations_are_the_same_twice_where_they_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("--epochs=2")
    # With warnings alone the attention of a GPU stays as it is: another number at each run.
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert made.train() == 0
    alone = capsys.readouterr().out

    class Uncertain(Numbers):
        """An operation without a deterministic form, as a network that is not ours may have."""

        def loss(self, forward: Any, part: tuple[torch.Tensor, ...], whole: tuple[torch.Tensor, ...]) -> torch.Tensor:
            loss = super().loss(forward, part, whole)
            if not torch.is_deterministic_algorithms_warn_only_enabled():
                loss.backward(retain_graph=True)  # what the step that is begun again leaves must not stay
            torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
            return loss

    given = options("--epochs=2")
    with pytest.warns(UserWarning, match="put_ does not have a deterministic"):
        assert Run(given, lambda device: Uncertain(given)).train() == 0
    said = capsys.readouterr().out
    assert said.startswith("not the same twice: put_ does not have a deterministic implementation")
    numbers_of = [line.split(" seconds=")[0] for line in alone.splitlines() if line.startswith("step=")]
    assert [line.split(" seconds=")[0] for line in said.splitlines() if line.startswith("step=")] == numbers_of

    class Measured(Numbers):
        """Such an operation in the evaluation, and one that is refused whatever is allowed."""

        def evaluate(self, model: Any) -> dict[str, float]:
            if torch.is_deterministic_algorithms_warn_only_enabled():
                raise RuntimeError("no deterministic form, ever")
            torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
            return {}

    given = options("--epochs=2")
    with pytest.raises(RuntimeError, match="ever"):
        Run(given, lambda device: Measured(given)).train()
    assert capsys.readouterr().out.count("not the same twice: put_") == 1


def test_clipping_bounds_the_step_and_the_norm_is_said_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("--epochs=1", "--grad-clip=0.01", "--optimizer=sgd", "--momentum=0", "--learning-rate=1")
    made.train()
    moved = math.hypot(*(float(weight.detach()) for weight in made.model.parameters()))
    assert 0 < moved <= 2 * 0.01 + 1e-6
    assert float(capsys.readouterr().out.split("grad_norm=")[1].split()[0]) > 1


def test_frozen_weights_are_left_out_of_the_checkpoint_and_out_of_the_optimizer(tmp_path: Path) -> None:
    def frozen(device: torch.device) -> Numbers:
        task = Numbers(given)
        task.model.weight.requires_grad_(False)  # type: ignore[operator, union-attr]
        return task

    given = options("--epochs=4", f"--checkpoint={tmp_path / 'c'}", "--evaluations=2", "--learning-rate=0.1")
    made = Run(given, frozen)
    made.train()
    assert list(torch.load(tmp_path / "c", weights_only=True)["model"]) == ["bias"]
    again = Run(given, frozen)
    again.resume()
    assert again.progress.step == 8
    assert torch.equal(again.model.bias, made.model.bias)  # type: ignore[arg-type]


def test_a_run_that_is_asked_to_end_keeps_its_state_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("--epochs=6", "--evaluations=3", "--learning-rate=0.1")
    kept = options(*argv, f"--checkpoint={tmp_path / 'c'}")
    assert torch_loop.go(kept, lambda device: Asked(kept)) == 143
    assert torch.load(tmp_path / "c", weights_only=True)["progress"]["step"] == 5
    capsys.readouterr()
    said = []
    for given in (options(*argv), kept):
        assert torch_loop.go(given, lambda device, given=given: Numbers(given)) == 0  # type: ignore[misc]
        said.append(numbers(capsys.readouterr().out))
    assert len(said[0]) == 4
    assert said[0] == said[1]


def test_a_loss_or_a_metric_that_is_not_finite_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("--epochs=5", "--optimizer=sgd", "--learning-rate=1e30", "--warmup=0")
    assert made.train() == torch_loop.EXIT_DIVERGED
    assert capsys.readouterr().out.endswith("status: diverged\n")


def test_a_budget_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("--seconds=0.05", "--evaluations=2")
    assert made.train() == 0
    # One step may take more than half of it on a busy machine.
    assert 1 <= capsys.readouterr().out.count("step=") <= 2
    assert made.progress.seconds >= 0.05


def test_in_a_budget_of_time_each_step_that_takes_of_it_trains() -> None:
    class Two(Numbers):
        def rows(self, picked: Any, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
            made.asked = len(self.shown) == 1
            return super().rows(picked, random)

    given = options("--seconds=1000", "--warmup=0.5")
    made = Run(given, lambda device: Two(given))
    assert made.train() == torch_loop.EXIT_ASKED
    assert (made.progress.step, made.progress.timed_steps) == (2, 1)
    assert 0 < made.groups()[0]["lr"] < 1e-3 * made.progress.seconds / 500  # at most that of the second step's end
    used = made.progress.seconds
    assert made.share(ahead=True) == 2 * used / 1000  # the mean step


def test_a_budget_of_time_counts_what_was_used_before_a_break(tmp_path: Path) -> None:
    given = options("--seconds=2", "--evaluations=4", f"--checkpoint={tmp_path / 'c'}", "--schedule=linear")
    assert torch_loop.go(given, lambda device: Asked(given)) == 143
    again = Run(given, lambda device: Numbers(given))
    again.resume()
    used = again.progress.seconds
    assert again.progress.step == 5
    assert 0 < used < 2
    assert again.share() == used / 2
    assert again.optimizers[0].param_groups[0]["lr"] > 0
    again.progress.seconds = 1.9  # the rest is not waited for
    assert again.train() == 0
    assert again.progress.step > 5
    assert again.progress.seconds >= 2


def test_a_folder_that_can_hold_no_checkpoint_is_said_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    given = options("--epochs=2", f"--checkpoint={tmp_path / 'file' / 'c'}")
    task = Numbers(given)
    with pytest.raises(TrainingError, match=r"the folder .*file of --checkpoint cannot be written to; name another"):
        torch_loop.go(given, lambda device: task)
    assert not task.shown


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(TrainingError, match=r"--device cuda, but torch .* finds no CUDA GPU here; auto takes the CPU"):
        run("--epochs=2", "--device=cuda")


def test_too_few_examples_for_a_batch() -> None:
    with pytest.raises(ConflictError, match="--batch-size 11 is above the 10 training examples"):
        run("--epochs=1", "--batch-size=11")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "give one budget: --epochs or --seconds"),
        (["--epochs=1", "--seconds=1"], "give one budget: --epochs or --seconds"),
        (["--epochs=nan"], "--epochs must be a finite number above 0, not nan"),
        (["--epochs=1", "--momentum=0.9"], "--momentum is for --optimizer sgd"),
        (["--epochs=1", "--optimizer=sgd", "--beta1=0.9"], "--beta1 is for --optimizer adamw"),
        (["--epochs=1", "--ema=1"], "--ema must be at least 0 and below 1, not 1.0"),
        (["--epochs=1", "--device-batch=6"], "--device-batch 6 is above --batch-size 5"),
        (["--epochs=1", "--weight-decay=inf"], "--weight-decay must be at least 0 and finite, not inf"),
        (["--epochs=1", f"--data-seed={2**32}"], "--data-seed must be at least 0 and below 4294967296, not 4294967296"),
        (["--epochs=1", "--min-lr-ratio=2"], "--min-lr-ratio must be from 0 to 1, not 2.0"),
    ],
)
def test_wrong_options_end_it_with_a_message(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1" if "is above" in said else "2"):
        options(*argv)
    assert said in capsys.readouterr().err
