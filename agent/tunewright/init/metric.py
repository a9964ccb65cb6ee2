"""Which of the printed numbers the study improves, and in which direction: told by the person, else by their names."""

import re
from dataclasses import dataclass
from typing import get_args

from tunewright.card_parts import Direction, check_metric_name
from tunewright.errors import CardError, did_you_mean
from tunewright.init.reading import Printed, ScriptReading

_SMALL_WORDS = (
    "loss error err perplexity ppl nll mse rmse mae mape logloss log_loss bpb bpc wer cer fid latency regret time "
    "seconds brier ece eer"
)
_LARGE_WORDS = (
    "acc accuracy f1 auc auroc score reward return r2 bleu map ap iou miou precision recall dice psnr ssim kappa mcc "
    "rouge ndcg mrr throughput elo win_rate success top1 top5 acc1 acc5"  # codespell:ignore rouge
)


def _any(words: str) -> re.Pattern[str]:
    return re.compile(rf"(^|[_/.-])({'|'.join(words.split())})([_/.-]|\d|$)", re.IGNORECASE)


_SMALL, _LARGE = _any(_SMALL_WORDS), _any(_LARGE_WORDS)
_RANKS = (re.compile(r"(^|[_/.-])(val|valid|validation|dev|eval|heldout)"), re.compile(r"(^|[_/.-])test"))
_TRAIN = re.compile(r"(^|[_/.-])train")


@dataclass(frozen=True)
class Target:
    """The metric of the card, as far as it is known."""

    name: str = ""
    """Empty where the script prints none that counts."""
    direction: Direction | None = None
    origin: str = ""
    """Where the name is from, in words."""
    direction_origin: str = ""


def target(reading: ScriptReading, name: str | None, direction: str | None) -> Target:
    """The metric and its direction.

    Raises:
        CardError: a name that no run could print, a direction that is none, a direction without any metric.
    """
    if direction is not None and direction not in get_args(Direction):
        raise CardError(
            f"the direction is {direction!r}", f"{did_you_mean(direction, get_args(Direction))}say minimize or maximize"
        )
    taken = {option.name for option in reading.options} | {option.label.lstrip("-") for option in reading.options}
    printed = [p for p in reading.metrics if p.name not in taken]
    if name is not None:
        check_metric_name(name)
        line = next((p.line for p in printed if p.name == name), None)
        origin = f"printed on line {line}" if line else "named by you; no line of the script is seen to print it"
    elif printed:
        best = sorted(printed, key=_rank)[0]  # stable: the first printed of the best kind
        name = best.name
        others = ", ".join(f"{p.name} (line {p.line})" for p in printed if p is not best)
        origin = f"printed on line {best.line}" + (
            f"; assumed to be the one that counts, beside {others}" if others else ""
        )
    elif direction is not None:
        raise CardError(f"the direction is {direction} but no metric is known", "name it too: --metric NAME")
    else:
        return Target()
    if direction is not None:
        return Target(name, direction, origin, "")  # type: ignore[arg-type]
    small, large = bool(_SMALL.search(name)), bool(_LARGE.search(name))
    if small == large:
        return Target(name, None, origin, "")
    return Target(name, "minimize" if small else "maximize", origin, "assumed from the name")


def _rank(printed: Printed) -> tuple[int, bool]:
    known = bool(_SMALL.search(printed.name)) or bool(_LARGE.search(printed.name))
    for rank, pattern in enumerate(_RANKS):
        if pattern.search(printed.name.lower()):
            return rank, not known
    return (len(_RANKS) + 1 if _TRAIN.search(printed.name.lower()) else len(_RANKS)), not known
