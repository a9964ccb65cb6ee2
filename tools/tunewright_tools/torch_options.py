"""Options that the trainers of labelled examples share: optimizer, schedule, budget, seeds, device and checkpoint."""

import argparse
import math
import os
from typing import Any

NOT_STATE = ("checkpoint", "threads")
"""Options that may differ between a checkpoint and the run that goes on from it."""


def add_training(options: argparse.ArgumentParser, average: bool = True, **defaults: Any) -> None:
    """Give a command line the shared options, `--ema` only with `average`; `defaults` replaces theirs."""
    add = options.add_argument
    add("--batch-size", type=int, default=64, help="examples of an optimizer step")
    add("--device-batch", type=int, help="examples at a time on the device (gradients accumulate); all if not given")
    add("--optimizer", choices=["adamw", "sgd"], default="adamw", help="sgd: with Nesterov's momentum")
    add("--learning-rate", type=float, default=1e-3, help="peak learning rate; sgd wants one many times larger")
    add("--momentum", type=float, help="of sgd, 0.9 where not given; not for adamw")
    add("--beta1", type=float, help="of adamw, 0.9 where not given; not for sgd")
    add("--beta2", type=float, help="of adamw, 0.999 where not given; not for sgd")
    add("--weight-decay", type=float, default=0.01, help="decay of the matrices; biases and norms are not decayed")
    add("--schedule", choices=["cosine", "linear", "constant"], default="cosine", help="after the warmup")
    add("--min-lr-ratio", type=float, default=0.0, help="learning rate at the end, over the peak; not for constant")
    add("--warmup", type=float, default=0.05, help="share of the budget in which the learning rate rises from 0")
    add("--grad-clip", type=float, default=0.0, help="largest norm of the gradient; 0 clips nothing")
    if average:
        add("--ema", type=float, default=0.0, help="decay a step of the averaged weights to measure with; 0: none")
    add("--epochs", type=float, help="budget: passes over the training examples, rounded up to whole steps")
    add("--seconds", type=float, help="budget: seconds of training")
    add("--evaluations", type=int, default=10, help="how often to measure, the end included")
    add("--seed", type=int, default=int(os.environ.get("TUNEWRIGHT_SEED", "0")), help="of weights, order and dropout")
    add("--data-seed", type=int, default=0, help="of the split; keep it fixed, so that runs can be compared")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a GPU where there is one")
    add("--amp", choices=["auto", "off", "bfloat16"], default="auto", help="auto: bfloat16 on a GPU")
    add("--compile", choices=["off", "on"], default="off", help="torch.compile; wants a C++ compiler on a CPU")
    add("--threads", type=int, default=1, help="CPU threads of torch")
    add("--checkpoint", default=os.environ.get("TUNEWRIGHT_CHECKPOINT"), help="file to go on from and to write")
    options.set_defaults(**({} if average else {"ema": 0.0}), **defaults)


def check_training(options: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End with 2 and a message where a shared option cannot be used; fill in what depends on other options."""
    given.device_batch = given.batch_size if given.device_batch is None else given.device_batch
    check_range(options, given, "batch_size device_batch evaluations threads", 1, math.inf)
    check_range(options, given, "momentum beta1 beta2 ema warmup", 0, 1)
    check_range(options, given, "weight_decay grad_clip", 0, math.inf)
    check_range(options, given, "seed data_seed", 0, 2**63)
    for name in ("learning_rate", "epochs", "seconds"):
        if (value := getattr(given, name)) is not None and not 0 < value < math.inf:
            options.error(f"--{name.replace('_', '-')} must be a finite number above 0, not {value}")
    if not 0 <= given.min_lr_ratio <= 1:
        options.error(f"--min-lr-ratio must be from 0 to 1, not {given.min_lr_ratio}")
    if given.device_batch > given.batch_size:
        options.error(f"--device-batch {given.device_batch} is above --batch-size {given.batch_size}")
    if (given.epochs is None) == (given.seconds is None):
        options.error("give one budget: --epochs or --seconds")
    for name, optimizer, default in (("momentum", "sgd", 0.9), ("beta1", "adamw", 0.9), ("beta2", "adamw", 0.999)):
        if getattr(given, name) is None:
            setattr(given, name, default)
        elif given.optimizer != optimizer:
            options.error(f"--{name} is for --optimizer {optimizer}")


def check_range(
    options: argparse.ArgumentParser, given: argparse.Namespace, names: str, low: float, below: float
) -> None:
    """End with 2 and a message where an option that is given is not at least `low` and below `below`."""
    for name in names.split():
        value = getattr(given, name)
        if value is not None and not low <= value < below:
            limit = f" and below {below}" if math.isfinite(below) else " and finite"
            options.error(f"--{name.replace('_', '-')} must be at least {low}{limit}, not {value}")
