"""What textbooks and library defaults say about a parameter before any run, and points from that alone.

The knowledge is data (`tunewright_prompts/textbook.yaml`), with sources; nothing of it was fitted to results.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.errors import SpaceError, TunerError
from tunewright.parameters import Choice, Float, Int, Parameter, Scalar
from tunewright.space import Space
from tunewright.textbook_entries import Entry, Number, OneOf, book
from tunewright_tools.base import Config

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAME_SCALE = 0.2  # how much a shared scale (log with log) counts beside the overlap of the ranges, which is up to 1
_CLEAR = 0.2  # an entry is the better fit only by more than this
_OWN = 2  # a word beside the parameter itself counts this many times one in the goal
_FEWEST, _EACH, _BATCHES = 64, 16, 20


@dataclass(frozen=True)
class View:
    """An entry cut to one parameter's own bounds: what would be tried."""

    entry: Entry
    guess: Any
    """The textbook's value, or the nearest one that the parameter takes inside the interval."""
    low: Any = None
    high: Any = None
    allowed: tuple[Scalar, ...] = ()
    """For a `Choice`: its values that the textbook knows, best bet first."""


# -- which entry is meant ----------------------------------------------------------------------------------------------


def entry_for(parameter: Parameter, goal_text: str = "") -> Entry | None:
    """The entry that a parameter means, or None where the textbook has none or cannot tell which.

    Among entries of that name, words decide first (those of `about`, `when` and the name itself count double, then the
    goal's). Of what they point to, those remain whose domain holds the parameter's bounds and whose usual interval
    overlaps them, the best match first; two that match about equally and advise differently leave None. So does an
    ambiguous name where no words point to an entry: `alpha` is a penalty, a scale or a step size.
    """
    goal, own = _words(goal_text), _words(_beside(parameter))
    named: list[tuple[int, Entry]] = []
    for entry in _named(parameter.name):
        if isinstance(entry, OneOf) == (_range(parameter) is None) and not _hit(entry.unless, own):
            family = book().families[entry.family]
            named.append((family.weight * (_OWN * _hit(family.words, own) or _hit(family.words, goal)), entry))
    most = max((hits for hits, _ in named), default=0)
    if most == 0 and _plain(parameter.name.split("__")[-1]) in _ambiguous():
        return None
    found = [(fit, entry) for hits, entry in named if hits == most and (fit := _fit(entry, parameter)) is not None]
    if not found:
        return None
    fit, best = max(found, key=lambda item: item[0])
    rivals = [entry for other, entry in found if other > fit - _CLEAR]
    return best if all(_alike(best, rival) for rival in rivals) else None


def pointed_to(entry: Entry, text: str) -> bool:
    """Whether words of a text point to what the entry is about."""
    return _hit(book().families[entry.family].words, _words(text))


def view(parameter: Parameter, goal_text: str = "") -> View | None:
    """The entry's advice cut to the parameter's bounds and moved onto its grid; None where there is none."""
    entry = entry_for(parameter, goal_text)
    return None if entry is None else _cut(entry, parameter)


def prior(card: TaskCard) -> dict[str, dict[str, float]]:
    """Of each recognised number in the card's space: {guess, low, high}. Choices and unknown names are left out."""
    return {
        name: {"guess": v.guess, "low": v.low, "high": v.high} for name, v in views(card).items() if v.low is not None
    }


def views(card: TaskCard) -> dict[str, View]:
    """The advice on each recognised parameter of the card's space.

    The goal, what is trained, the known facts and the names beside a parameter help to recognise it.
    """
    text = " ".join([card.goal, card.model, *card.known, *card.space.names])
    found = {p.name: view(p, text) for p in card.space}
    return {name: v for name, v in found.items() if v is not None}


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _words(text: str) -> str:
    text = re.sub(r"(?<=[a-z0-9])(?=(?:classifier|regressor)s?\b)", " ", text.lower())
    return f" {re.sub(r'[^a-z0-9]+', ' ', text).strip()} "


def _hit(phrases: Iterable[str], text: str) -> bool:
    return any(f" {phrase} " in text or f" {phrase}s " in text for phrase in phrases)


def _beside(parameter: Parameter) -> str:
    conditions = " ".join(f"{parent} {value}" for parent, values in parameter.when.items() for value in values)
    return f"{parameter.name} {parameter.about} {conditions}"


@cache
def _index() -> dict[str, tuple[Entry, ...]]:
    index: dict[str, list[Entry]] = {}
    for entry in book().entries:
        for name in dict.fromkeys(_plain(n) for n in (entry.name, *entry.aliases)):
            index.setdefault(name, []).append(entry)
    return {name: tuple(entries) for name, entries in index.items()}


@cache
def _ambiguous() -> frozenset[str]:
    return frozenset(_plain(name) for name in book().ambiguous)


@cache
def _family_words() -> frozenset[str]:
    return frozenset(word for family in book().families.values() for word in family.words)


def _named(name: str) -> tuple[Entry, ...]:
    """Entries of this name; `model__max_depth` and `xgb_max_depth` are `max_depth` too."""
    tried = [name, name.split("__")[-1]]
    tokens = name.split("__")[-1].lower().split("_")
    if len(tokens) > 1 and tokens[0] in _family_words():
        tried.append("_".join(tokens[1:]))
    if len(tokens) > 1 and tokens[-1] in _family_words():
        tried.append("_".join(tokens[:-1]))
    return next((entries for t in tried if (entries := _index().get(_plain(t)))), ())


def _alike(a: Entry, b: Entry) -> bool:
    """Whether two entries give the same advice."""
    said = {"kind", "scale", "low", "guess", "high", "choices"}
    return a.model_dump(include=said) == b.model_dump(include=said)


def _range(parameter: Parameter) -> tuple[float, float] | None:
    """Lowest and highest value of a numeric parameter, or of a choice between numbers."""
    if isinstance(parameter, Float | Int):
        return parameter.low, parameter.high
    if isinstance(parameter, Choice):
        numbers = [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) == len(parameter.choices):
            return min(numbers), max(numbers)
    return None


def _fit(entry: Entry, parameter: Parameter) -> float | None:
    """How well the ranges match, from 0 up; None where the entry cannot be about this parameter."""
    if isinstance(entry, OneOf):
        known = len(_known(entry, parameter))
        return known / len(parameter.choices) if isinstance(parameter, Choice) and known >= 2 else None
    bounds = _range(parameter)
    if not isinstance(entry, Number) or bounds is None or _cut(entry, parameter) is None:
        return None
    low, high = bounds
    if low < entry.domain[0] or high > entry.domain[1]:
        return None
    # a bound that does not exist on the scale (0 on a log scale) says nothing about the range at that end
    low = entry.low if low <= 0 and entry.scale != "linear" else low
    high = entry.high if high >= 1 and entry.scale == "logit" else high
    here, usual = [entry.on_scale(v) for v in (low, high)], [entry.on_scale(v) for v in (entry.low, entry.high)]
    shared = min(here[1], usual[1]) - max(here[0], usual[0])
    overlap = max(shared, 0.0) / (max(here[1], usual[1]) - min(here[0], usual[0]))
    match parameter:
        case Float():
            same = entry.scale == ("log" if parameter.log else "logit" if parameter.logit else "linear")
        case Int():
            same = entry.kind == "int"
        case _:
            same = False
    return overlap + _SAME_SCALE * same


def _known(entry: OneOf, parameter: Parameter) -> tuple[Scalar, ...]:
    """The parameter's choices that the entry knows, in the entry's order."""
    if not isinstance(parameter, Choice):
        return ()
    place = {_plain(choice): i for i, choice in enumerate(entry.choices)}
    return tuple(sorted((c for c in parameter.choices if _plain(c) in place), key=lambda c: place[_plain(c)]))


def _cut(entry: Entry, parameter: Parameter) -> View | None:
    """The entry's advice inside the parameter's bounds, on its grid; None where nothing is left."""
    if isinstance(entry, OneOf):
        allowed = _known(entry, parameter)
        return View(entry, allowed[0], allowed=allowed) if allowed else None
    bounds = _range(parameter)
    if not isinstance(entry, Number) or bounds is None:
        return None
    low, high = max(entry.low, bounds[0]), min(entry.high, bounds[1])
    guess = min(max(entry.guess, low), high)
    if isinstance(parameter, Float):
        if low >= high:  # touching at one value is no overlap
            return None
        return View(entry, parameter.round(guess), parameter.round(low), parameter.round(high))
    if isinstance(parameter, Int):
        ends = _whole_values(parameter, low, high)
        return ends and View(entry, min(max(parameter.round(round(guess)), ends[0]), ends[1]), *ends)
    numbers = [c for c in getattr(parameter, "choices", ()) if low <= c <= high]
    nearest_first = sorted(numbers, key=lambda c: abs(entry.on_scale(c) - entry.on_scale(entry.guess)))
    return View(entry, nearest_first[0], allowed=tuple(nearest_first)) if nearest_first else None


def _whole_values(parameter: Int, low: float, high: float) -> tuple[int, int] | None:
    """First and last value of the parameter's grid from low to high."""
    first, last = math.ceil(low), math.floor(high)
    if parameter.rounding:
        powers = [p for p in parameter.powers if first <= p <= last]
        return (powers[0], powers[-1]) if powers else None
    if parameter.step is not None:
        first = parameter.low + -(-(first - parameter.low) // parameter.step) * parameter.step
        last = parameter.low + (last - parameter.low) // parameter.step * parameter.step
    return (first, last) if first <= last else None


# -- points from the textbook alone ------------------------------------------------------------------------------------


def points(card: TaskCard, n: int, seed: int, known: Mapping[str, View] | None = None) -> list[Config]:
    """At most n distinct configurations that fulfil the card's relations; fewer only where the space holds no more.

    The first has every recognised parameter at the textbook's guess and the others at their start value; where that
    breaks a relation, it is the valid configuration nearest to it. The rest are drawn from a scrambled Sobol sequence
    inside the usual intervals (unrecognised parameters: inside their bounds) and picked one by one as the draw that is
    farthest from all picked before (maximin).

    Args:
        known: what is recognised, and how; the textbook's own `views` of the card unless given.

    Raises:
        TunerError: n below 1; `SpaceError` where no draw fulfils the relations.
    """
    if n < 1:
        raise TunerError(f"{n} points were asked for", "ask for 1 or more")
    import numpy as np

    space, known = card.space, views(card) if known is None else known
    guess = space.hold({p.name: known[p.name].guess if p.name in known else p.start for p in space})
    wanted = space.check(guess)
    picked = [] if wanted.faults else [wanted.config]
    if len(picked) == n:
        return picked
    size = max(_FEWEST, _EACH * n)
    pool = _pool(space, known, size, seed)
    if len(pool) <= n:  # the usual intervals hold too few: the parameters' whole ranges
        pool = {**pool, **_pool(space, {}, size, seed)}
    if not pool and not picked:
        raise SpaceError(
            f"no configuration drawn fulfils {', '.join(r.text for r in space.relations)}",
            "loosen the relations, or declare the parameters so that most values fulfil them",
        )
    if picked:
        pool.pop(space.key(wanted.config), None)
    configs = [*picked, *pool.values()]
    target, *rest = _places(space, known, [guess, *configs])
    places = np.stack(rest)
    order = [0 if picked else int(np.argmin(((places - target) ** 2).sum(axis=1)))]
    gap = ((places - places[order[0]]) ** 2).sum(axis=1)
    while len(order) < min(n, len(configs)):
        gap[order] = -1.0
        order.append(int(np.argmax(gap)))
        gap = np.minimum(gap, ((places - places[order[-1]]) ** 2).sum(axis=1))
    return [configs[i] for i in order]


def _pool(space: Space, known: Mapping[str, View], size: int, seed: int) -> dict[str, Config]:
    """Valid configurations inside the usual intervals by their key, up to `size` of them."""
    from scipy.stats import qmc

    engine = qmc.Sobol(len(space), seed=seed)
    found: dict[str, Config] = {}
    for _ in range(_BATCHES):
        units = engine.random(1 << (size - 1).bit_length())
        columns = [_column(p, known.get(p.name), units[:, j]) for j, p in enumerate(space)]
        for row in zip(*columns, strict=True):
            checked = space.check(space.hold(dict(zip(space.names, row, strict=True))))
            if not checked.faults:
                found.setdefault(space.key(checked.config), checked.config)
            if len(found) == size:
                return found
    return found


def _column(parameter: Parameter, advice: View | None, units: "NDArray[np.float64]") -> list[Any]:
    """Values at these positions of the usual interval, or of the whole range without advice."""
    if advice is None:
        return parameter.from_unit(units)
    if advice.allowed:
        count = len(advice.allowed)
        return [advice.allowed[min(int(u * count), count - 1)] for u in units]
    low, high = parameter.to_unit([advice.low, advice.high])
    return parameter.from_unit(low + units * (high - low))


def _places(space: Space, known: Mapping[str, View], configs: Sequence[Config]) -> "NDArray[np.float64]":
    """Coordinates in which the usual interval of each parameter has length 1, and two choices lie 1 apart."""
    import numpy as np

    blocks: list[NDArray[np.float64]] = []
    for p in space:
        values = [config.get(p.name, p.start) for config in configs]
        if isinstance(p, Choice):
            index = [p.index(v) for v in values]
            blocks.append(
                np.array([[i == j for j in range(len(p.choices))] for i in index], dtype=float) / math.sqrt(2)
            )
            continue
        units = p.to_unit(values)
        advice = known.get(p.name)
        low, high = p.to_unit([advice.low, advice.high]) if advice is not None else (0.0, 1.0)
        blocks.append(((units - low) / ((high - low) or 1.0))[:, None])
    return np.concatenate(blocks, axis=1)
