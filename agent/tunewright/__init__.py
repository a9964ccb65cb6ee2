"""The product: a language model proposes, a surrogate disposes, a record remembers. Importing this does nothing."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.card import TaskCard as TaskCard
    from tunewright.dataset import Dataset as Dataset
    from tunewright.errors import TunerError as TunerError
    from tunewright.loop import Tuner as Tuner
    from tunewright.result import Result as Result
    from tunewright.space import Choice as Choice
    from tunewright.space import Float as Float
    from tunewright.space import Int as Int
    from tunewright.space import Space as Space
    from tunewright.zero_shot import Points as Points
    from tunewright.zero_shot import warmstart as warmstart

_HOMES = {
    "Choice": "space",
    "Float": "space",
    "Int": "space",
    "Space": "space",
    "TaskCard": "card",
    "Dataset": "dataset",
    "Tuner": "loop",
    "Result": "result",
    "TunerError": "errors",
    "Points": "zero_shot",
    "warmstart": "zero_shot",  # a module of that name would hide the function
}

__all__ = [
    "Choice",
    "Dataset",
    "Float",
    "Int",
    "Points",
    "Result",
    "Space",
    "TaskCard",
    "Tuner",
    "TunerError",
    "warmstart",
]


if not TYPE_CHECKING:  # a checker that saw this would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'tunewright' has no attribute {name!r}; it has {', '.join(__all__)}")
        return getattr(import_module(f"tunewright.{_HOMES[name]}"), name)
