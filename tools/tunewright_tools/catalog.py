"""The trainers that come with this package, by name: what they can be tuned by and what they measure.

A card that says `tool: {trainer: torch_digits}` needs no command: it is built from the parameters of its space.
"""

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

from .arguments import as_text
from .base import ToolSetupError
from .contract import Direction


@dataclass(frozen=True)
class Trainer:
    """One shipped trainer. Each option `learning_rate` is `--learning-rate` on its command line."""

    name: str
    module: str
    about: str
    metrics: tuple[tuple[str, Direction], ...]
    """What it prints; the first is what it is usually tuned for."""
    open: bool = False
    """Whether a name that is no option is passed on as `name=value`."""

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The names of its options, as its own parser has them; no trainer imports torch before it trains."""
        actions = import_module(self.module).parser()._actions
        return tuple(action.dest for action in actions if action.option_strings and action.dest != "help")

    def argv(self, parameters: Iterable[str], fixed: Mapping[str, bool | int | float | str] | None = None) -> list[str]:
        """The argument list, with a placeholder for each parameter of the space and a value for each fixed option.

        Raises:
            ToolSetupError: a name that is no option of this trainer, or that is both tuned and fixed.
        """
        tuned, fixed = list(parameters), dict(fixed or {})
        for name in (*tuned, *fixed):
            if name not in self.options and not self.open:
                close = difflib.get_close_matches(name, self.options, 1)
                meant = f"did you mean {close[0]}? " if close else ""
                raise ToolSetupError(
                    f"the trainer {self.name} has no option {name!r}", f"{meant}its options: {', '.join(self.options)}"
                )
            if name in tuned and name in fixed:
                raise ToolSetupError(
                    f"{name} is both a parameter of the space and fixed to {fixed[name]!r}", "keep one of the two"
                )
        argv = [sys.executable.replace("{", "{{").replace("}", "}}"), "-m", self.module]
        for name in tuned:
            argv += self._argument(name, f"{{{name}}}")
        for name, value in fixed.items():
            argv += self._argument(name, as_text(value).replace("{", "{{").replace("}", "}}"))
        return argv

    def _argument(self, name: str, value: str) -> list[str]:
        return [_flag(name), value] if name in self.options else [f"{name}={value}"]


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


_ALL = (
    Trainer(
        name="torch_digits",
        module="tunewright_tools.torch_digits",
        about="a small network on scikit-learn's handwritten digits, a few seconds on one CPU core",
        metrics=(("val_accuracy", "maximize"), ("val_loss", "minimize")),
    ),
    Trainer(
        name="torch_lm",
        module="tunewright_tools.torch_lm",
        about="pretrains a GPT on a text file for a fixed time or number of tokens; bits per byte of held-out text",
        metrics=(("val_bpb", "minimize"),),
    ),
    Trainer(
        name="torch_vision",
        module="tunewright_tools.torch_vision",
        about="trains a ResNet or a vision transformer on a folder of images, a NumPy archive, or 8x8 digits",
        metrics=(("val_accuracy", "maximize"), ("val_loss", "minimize")),
    ),
    Trainer(
        name="torch_tabular",
        module="tunewright_tools.torch_tabular",
        about="trains an MLP with embeddings on a CSV file, for classes or for a number",
        metrics=(
            ("val_loss", "minimize"),
            ("val_accuracy", "maximize"),
            ("val_rmse", "minimize"),
            ("val_r2", "maximize"),
        ),
    ),
    Trainer(
        name="finetune",
        module="tunewright_tools.finetune",
        about="fine-tunes a local causal language model with LoRA on instructions (needs the extra finetune)",
        metrics=(("val_loss", "minimize"), ("val_exact_match", "maximize")),
    ),
    Trainer(
        name="sklearn_cv",
        module="tunewright_tools.sklearn_cv",
        about="cross-validates any scikit-learn estimator or pipeline; its scorers' means over the folds",
        metrics=(("accuracy", "maximize"),),
        open=True,
    ),
)
TRAINERS: Mapping[str, Trainer] = {trainer.name: trainer for trainer in _ALL}


def trainer(name: str) -> Trainer:
    """The shipped trainer of that name.

    Raises:
        ToolSetupError: there is none.
    """
    if name not in TRAINERS:
        raise ToolSetupError(f"there is no trainer {name!r}", f"trainers: {', '.join(TRAINERS)}; or give a command")
    return TRAINERS[name]
