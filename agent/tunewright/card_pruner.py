"""What a card says of early stopping: a pruner's name and its options."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tunewright.card_parts import Part, build, shown
from tunewright.errors import CardError, did_you_mean

OPTUNA = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "patient": "PatientPruner",
    "threshold": "ThresholdPruner",
    "wilcoxon": "WilcoxonPruner",
}
"""The name on a card -> the class in `optuna.pruners`."""
NAMES = ("curve", *OPTUNA, "none")


class PrunerCard(Part):
    """Which runs to stop early, by their curves. `none` lets every run go to its end, whatever it reports."""

    name: str
    """`curve`, a pruner of Optuna's (`median`, `successive_halving`, `hyperband`, ...) or `none`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the pruner, such as `{threshold: 0.1}` for `curve`."""

    def model_post_init(self, context: Any) -> None:
        if self.name not in NAMES:
            raise CardError(
                f"there is no pruner {shown(self.name)}",
                f"{did_you_mean(self.name, NAMES)}the pruners are {', '.join(NAMES)}",
            ).at("name")
        for key, value in self.options.items():
            if not isinstance(value, bool | int | float | str | None):
                raise CardError(f"{key} is {shown(value)}", "an option is a number, text, true, false or null").at(
                    "options", key
                )
        if self.name == "none" and self.options:
            raise CardError(f"the pruner none has options: {shown(self.options)}", "leave them out").at("options")


def read_pruner(pruner: Any, n_metrics: int) -> PrunerCard | None:
    """The pruner, from its name or a mapping; None where the card says nothing.

    Raises:
        CardError: an unknown name, or a card with several metrics.
    """
    if pruner is None:
        return None
    made = build(PrunerCard, {"name": pruner} if isinstance(pruner, str) else _mapping(pruner), "pruner")
    if n_metrics > 1 and made.name != "none":
        raise CardError(
            f"the pruner {made.name} beside {n_metrics} metrics", "a pruner judges one metric: leave one of the two out"
        ).at("pruner")
    return made


def _mapping(pruner: Any) -> Any:
    if isinstance(pruner, Mapping) and "name" not in pruner:
        raise CardError(f"the pruner {shown(pruner)} has no name", "write {name: median}").at("pruner")
    return pruner
