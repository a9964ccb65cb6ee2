"""One starting point for a search: a checked configuration, who chose it and why."""

from dataclasses import dataclass
from typing import Any

from tunewright_tools.base import Config


@dataclass(frozen=True)
class Point:
    """A configuration that can run as it is: complete, inside the bounds and on the grids of its space."""

    config: Config
    source: str
    """`llm`; `textbook`; `default` or `sobol` (drawn evenly) where the textbook does not know the parameters."""
    rationale: str = ""
    """One line for people."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"config": self.config, "source": self.source, "rationale": self.rationale}
