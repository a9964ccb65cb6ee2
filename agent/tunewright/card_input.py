"""The ways in which people write a card's keys (short forms, lists, mappings), made into the parts of a card."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tunewright.card_parts import Constraint, Metric, build, items, refuse_unknown, shown
from tunewright.errors import CardError, SpaceError
from tunewright.parameters import Parameter, parameter_from_json
from tunewright.space import Space

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9_-]|[A-Za-z0-9]")
_NOT_A_FOLDER = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)  # Windows devices
_SLUG_LENGTH = 48


def slug(goal: str) -> str:
    """A name made from the goal: lower-case words with - between them, short enough for a folder."""
    words = re.sub(r"[^a-z0-9]+", "-", goal.lower()).strip("-")
    if words and len(words) <= _SLUG_LENGTH and not _NOT_A_FOLDER.fullmatch(words):
        return words
    # cut or empty slugs of two goals may be equal, so the goal's own digest tells them apart
    digest = hashlib.sha256(goal.strip().encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{words[:_SLUG_LENGTH].rstrip('-') or 'study'}-{digest}"


def checked_name(name: Any, goal: str) -> str:
    """The name as given; raises `CardError` when it could not be a folder on every system."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _NOT_A_FOLDER.fullmatch(name):
        raise CardError(
            f"name is {shown(name)}",
            f"it names a folder: up to 64 letters, digits, - _ and ., for example {slug(goal)}",
        ).at("name")
    return name


def read_space(space: Any, relations: Any, held: Any) -> Space:
    """The space with the card's relations and held values; raises `CardError` or `SpaceError` at the key to blame."""
    made = space if isinstance(space, Space) else _parsed_space(space)
    for i, text in enumerate(items(relations, "relations")):
        try:
            made = made.with_relations([text])
        except SpaceError as e:
            raise e.at("relations", i) from None
    if held is not None and not isinstance(held, Mapping):
        raise CardError(f"held is {shown(held)}", "write names with a value or a list of values: {batch_size: 64}").at(
            "held"
        )
    try:
        return made if held is None else made.with_held(held)
    except SpaceError as e:
        raise e.at("held") from None


def _parsed_space(space: Any) -> Space:
    if not space or not isinstance(space, Sequence | Mapping) or isinstance(space, str):
        raise SpaceError(
            f"the card has no space (space is {shown(space)})",
            "list the parameters: space: [{name: lr, type: float, low: 1e-5, high: 0.1, log: true}]",
        ).at("space")
    relations: Any = []
    held: Any = None
    entries: list[tuple[tuple[str | int, ...], Any]]
    if isinstance(space, Mapping) and isinstance(space.get("parameters"), Sequence):
        try:
            refuse_unknown(space, ["parameters", "relations", "held"])
        except CardError as e:
            raise e.at("space") from None
        relations, held = space.get("relations", []), space.get("held")
        entries = [(("space", "parameters", i), p) for i, p in enumerate(items(space["parameters"], "space"))]
    elif isinstance(space, Mapping):
        entries = [(("space", name), _named(name, p)) for name, p in space.items()]
    else:
        entries = [(("space", i), p) for i, p in enumerate(space)]
    parameters = [_parameter(p, path) for path, p in entries]
    try:
        made = Space(*parameters, held=held)
    except SpaceError as e:
        if not e.path:
            raise e.at("space") from None
        # a space names the parameter; the card has it at a place of a list, of two with one name the later is meant
        name, *inner = e.path
        e.path = tuple(inner)
        raise e.at(*[path for (path, _), p in zip(entries, parameters, strict=True) if p.name == name][-1]) from None
    for i, text in enumerate(items(relations, "space", "relations")):
        try:
            made = made.with_relations([text])
        except SpaceError as e:
            raise e.at("space", "relations", i) from None
    return made


def _named(name: Any, entry: Any) -> Any:
    """A parameter's mapping with the name that it has as a key of the space."""
    if not isinstance(entry, Mapping):
        return entry
    if "name" in entry:
        raise SpaceError(f"parameter {name!r} states its name twice", "take the inner name out").at("space", str(name))
    return {"name": name, **entry}


def _parameter(entry: Any, path: tuple[str | int, ...]) -> Parameter:
    if isinstance(entry, Parameter):
        return entry
    if not isinstance(entry, Mapping):
        raise SpaceError(f"the parameter is {shown(entry)}", "write {name: lr, type: float, low: 1e-5, high: 0.1}").at(
            *path
        )
    try:
        return parameter_from_json(entry)
    except SpaceError as e:
        raise e.at(*path) from None


def read_metrics(metrics: Any, metric: Any, direction: Any) -> tuple[Metric, ...]:
    """The metrics, from the list or from the short form; raises `CardError` unless exactly one of the two is there."""
    short = metric is not None or direction is not None
    if metrics is not None and short:
        raise CardError("the card has metrics beside metric or direction", "use metrics alone")
    if short:
        if metric is None or direction is None:
            raise CardError(
                f"metric is {metric!r} and direction is {direction!r}",
                "give both: metric: loss, direction: minimize",
            )
        try:
            return (Metric(name=metric, direction=direction),)
        except CardError as e:
            e.path = ("metric",) if e.path == ("name",) else e.path
            raise
    made = tuple(build(Metric, m, "metrics", i) for i, m in enumerate(items(metrics, "metrics")))
    if not made:
        raise CardError("the card has no metric", "name what a run reports: metric: val_loss, direction: minimize")
    for i, m in enumerate(made):
        if m.name in [other.name for other in made[:i]]:
            raise CardError(f"the metric {m.name!r} is there twice", "name each metric once").at("metrics", i)
    return made


def read_constraints(constraints: Any) -> tuple[Constraint, ...]:
    """The constraints; raises `CardError` for text that is none, and for two that do not go together."""
    made: list[Constraint] = []
    for i, text in enumerate(items(constraints, "constraints")):
        try:
            made.append(text if isinstance(text, Constraint) else Constraint(text))
        except CardError as e:
            raise e.at("constraints", i) from None
        for other in made[:-1]:
            if other.metric == made[-1].metric and (other.op == made[-1].op or other.excess(made[-1].bound) > 0):
                raise CardError(
                    f"constraint {made[-1].text!r} does not go with {other.text!r}",
                    "keep one, or one bound of each kind that leave values between them",
                ).at("constraints", i)
    return tuple(made)


def read_derived(derived: Any) -> dict[str, Any]:
    """The derived quantities as plain dictionaries, their values unchecked; raises `CardError` for no mapping."""
    if derived is None:
        return {}
    if not isinstance(derived, Mapping):
        raise CardError(f"derived is {shown(derived)}", "write {activation: {batch: 1, depth: 2}}").at("derived")
    return {name: dict(powers) if isinstance(powers, Mapping) else powers for name, powers in derived.items()}
