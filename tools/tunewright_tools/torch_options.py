"""Options that trainers share, each said once: what all have, and what those have that train by epochs."""

import argparse
import math
import os
from collections.abc import Mapping
from typing import Any

from .torch_errors import conflict

NOT_STATE = ("checkpoint", "threads", "peak_tflops")
"""Options that may differ between a checkpoint and the run that goes on from it."""


def add_training(
    options: argparse.ArgumentParser,
    defaults: Mapping[str, Any] | None = None,
    example: str = "examples",
    data_seed: str = "of the split",
) -> None:
    """Give a command line the options of every trainer.

    Args:
        defaults: what replaces theirs.
        example: what the trainer calls its examples.
        data_seed: what the data seed is of.
    """
    add = options.add_argument
    add("--batch-size", type=int, default=64, help=f"{example} of an optimizer step")
    add("--device-batch", type=int, help=f"{example} at a time on the device (gradients accumulate); all if not given")
    add("--learning-rate", type=float, default=1e-3, help="peak learning rate")
    add("--weight-decay", type=float, default=0.01, help="decay of the matrices; biases and norms are not decayed")
    add("--schedule", choices=["cosine", "linear", "constant"], default="cosine", help="after the warmup")
    add("--min-lr-ratio", type=float, default=0.0, help="learning rate at the end, over the peak; not for constant")
    add("--warmup", type=float, default=0.05, help="share of the budget in which the learning rate rises from 0")
    add("--grad-clip", type=float, default=0.0, help="largest norm of the gradient; 0 clips nothing")
    add("--seconds", type=float, help="budget: seconds of training")
    add("--evaluations", type=int, default=10, help="how often to measure, the end included")
    add("--seed", type=int, default=int(os.environ.get("TUNEWRIGHT_SEED", "0")), help="of weights, order and dropout")
    add("--data-seed", type=int, default=0, help=f"{data_seed}; keep it fixed, so that runs can be compared")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a GPU where there is one")
    add("--amp", choices=["auto", "off", "bfloat16"], default="auto", help="auto: bfloat16 on a GPU that has it")
    add(
        "--compile",
        choices=["off", "on"],
        default="off",
        help="torch.compile; wants a C++ compiler on a CPU, one of C on a GPU",
    )
    add("--threads", type=int, default=1, help="CPU threads of torch")
    add("--checkpoint", default=os.environ.get("TUNEWRIGHT_CHECKPOINT"), help="file to go on from and to write")
    options.set_defaults(ema=0.0, **(defaults or {}))


def add_epochs(options: argparse.ArgumentParser, average: bool = True) -> None:
    """Give it those of a trainer by epochs too, `--ema` only with `average`."""
    add = options.add_argument
    add("--epochs", type=float, help="budget: passes over the training examples, rounded up to whole steps")
    add(
        "--optimizer",
        choices=["adamw", "sgd"],
        default="adamw",
        help="sgd: with Nesterov's momentum; wants a larger rate",
    )
    add("--momentum", type=float, help="of sgd, 0.9 where not given; not for adamw")
    add("--beta1", type=float, help="of adamw, 0.9 where not given; not for sgd")
    add("--beta2", type=float, help="of adamw, 0.999 where not given; not for sgd")
    if average:
        add("--ema", type=float, default=0.0, help="decay a step of the averaged weights to measure with; 0: none")


def check_training(options: argparse.ArgumentParser, given: argparse.Namespace, budget: str) -> None:
    """End with a message where an option of `add_training` cannot be used; `budget` is the option beside `seconds`."""
    given.device_batch = given.batch_size if given.device_batch is None else given.device_batch
    check_range(options, given, "batch_size device_batch evaluations threads", 1, math.inf)
    check_range(options, given, "beta1 beta2 ema warmup", 0, 1)
    check_range(options, given, "weight_decay grad_clip", 0, math.inf)
    check_range(options, given, "seed", 0, 2**63)
    check_range(options, given, "data_seed", 0, 2**32)  # scikit-learn splits with none that is larger
    check_above(options, given, f"learning_rate seconds {budget}")
    if not 0 <= given.min_lr_ratio <= 1:
        options.error(f"--min-lr-ratio must be from 0 to 1, not {given.min_lr_ratio}")
    if given.device_batch > given.batch_size:
        conflict(options, f"--device-batch {given.device_batch} is above --batch-size {given.batch_size}")
    if (getattr(given, budget) is None) == (given.seconds is None):
        options.error(f"give one budget: --{budget} or --seconds")


def check_epochs(options: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Likewise for all options of a trainer by epochs; fill in what depends on the optimizer."""
    check_training(options, given, "epochs")
    check_range(options, given, "momentum", 0, 1)
    for name, optimizer, default in (("momentum", "sgd", 0.9), ("beta1", "adamw", 0.9), ("beta2", "adamw", 0.999)):
        only_for(options, given, name, "optimizer", optimizer, default)


def only_for(
    options: argparse.ArgumentParser, given: argparse.Namespace, name: str, switch: str, value: str, default: Any
) -> None:
    """Fill in an option that is not given; end with 2 where it is and the one that it depends on has another value."""
    if getattr(given, name) is None:
        setattr(given, name, default)
    elif getattr(given, switch) != value:
        options.error(f"{_flag(name)} is for {_flag(switch)} {value}")


def check_range(
    options: argparse.ArgumentParser, given: argparse.Namespace, names: str, low: float, below: float
) -> None:
    """End with 2 and a message where an option that is given is not at least `low` and below `below`."""
    for name in names.split():
        value = getattr(given, name)
        if value is not None and not low <= value < below:
            limit = f" and below {below}" if math.isfinite(below) else " and finite"
            options.error(f"{_flag(name)} must be at least {low}{limit}, not {value}")


def check_above(
    options: argparse.ArgumentParser, given: argparse.Namespace, names: str, below: float = math.inf
) -> None:
    """End with 2 and a message where an option that is given is not above 0 and below `below`."""
    for name in names.split():
        value = getattr(given, name)
        if value is not None and not 0 < value < below:
            limit = f"above 0 and below {below}" if math.isfinite(below) else "a finite number above 0"
            options.error(f"{_flag(name)} must be {limit}, not {value}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
