"""For Optuna: points in line, finished trials, the space as distributions and as define-by-run code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunewright.card import TaskCard
from tunewright.distributions import distribution
from tunewright.errors import SpaceError, StudyError
from tunewright.export.common import left_out, listed, no_form, no_held, page, parents_first, steps
from tunewright.parameters import Choice, Float, Int, Parameter
from tunewright.points import Point
from tunewright.rows import CONSTRAINTS, in_optuna
from tunewright.space import Space
from tunewright.trial import Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution


def enqueue(points: Iterable[Point], study: "optuna.Study") -> None:
    """Put the points in line: they are the study's next trials. One that the study holds already is left out.

    Raises:
        StudyError: it is no Optuna study.
    """
    if not hasattr(study, "enqueue_trial"):
        raise StudyError(f"{study!r:.80} is no Optuna study", "give what optuna.create_study returned")
    for point in points:
        study.enqueue_trial(
            dict(point.config),
            user_attrs={"source": point.source, "rationale": point.rationale},
            skip_if_exists=True,
        )


def tell(
    card: TaskCard,
    trials: Iterable[Trial],
    study: "optuna.Study",
    distributions: "Mapping[str, BaseDistribution] | None" = None,
) -> int:
    """How many finished trials of a Tunewright study (`Study.trials`) were added to an Optuna study.

    A failure that the configuration caused becomes FAIL, without a value. Running trials and those that the machine
    lost are left out: they say nothing of their configuration.

    Args:
        study: with the card's directions, in the order of its metrics.
        distributions: as the objective will suggest them, where they differ from `space`.

    Raises:
        StudyError: the study's directions are not the card's.
    """
    from optuna.trial import create_trial

    wanted, seen = [m.direction for m in card.metrics], [d.name.lower() for d in study.directions]
    if wanted != seen:
        raise StudyError(f"the study has the directions {seen}, the card {wanted}", f"create it with {wanted}")
    given = {p.name: _distribution(p) for p in card.space} | dict(distributions or {})
    rows = []
    for t in trials:
        if t.outcome is None or (t.outcome.fault != "config" and t.status not in ("done", "pruned")):
            continue
        state, values, constraints = in_optuna(card, t.outcome)
        beyond = constraints.get(CONSTRAINTS, [])
        rows.append(
            create_trial(
                state=state,
                values=values,
                params=t.config,
                distributions={name: given[name] for name in t.config},
                user_attrs={"source": t.source, "rationale": t.rationale, "status": t.status},
                constraints={c.text: v for c, v in zip(card.constraints, beyond, strict=True)} if beyond else None,
            )
        )
    study.add_trials(rows)
    return len(rows)


def space(card: TaskCard) -> "dict[str, BaseDistribution]":
    """A distribution for each parameter; powers of two are a choice between them.

    Raises:
        SpaceError: a logit scale, a condition or a relation, with the nearest thing that Optuna has.
    """
    for p in card.space:
        if p.when:
            raise no_form("a set of Optuna distributions", p.name, "its condition", "code: `suggest` of the text")
    _check(card.space)
    return {p.name: _distribution(p) for p in card.space}


def _check(space: Space) -> None:
    """Raise for what define-by-run code cannot say either."""
    no_held("Optuna", space)
    for p in space:
        if isinstance(p, Float) and p.logit:
            raise no_form("Optuna", p.name, "a logit scale", f"FloatDistribution({p.low!r}, {p.high!r})")
        if isinstance(p, Float) and p.step is not None and getattr(_distribution(p), "step", None) is None:
            raise no_form("Optuna", p.name, f"the step {p.step!r}", f"FloatDistribution({p.low!r}, {p.high!r})")
    for relation in space.relations:
        names = " and ".join(relation.names)
        raise no_form("Optuna", names, relation.text, "optuna.TrialPruned, raised where the relation does not hold")


def _distribution(p: Parameter) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution

    values = steps("Optuna", p) if isinstance(p, Int) and p.rounding else None
    if values is not None:
        return CategoricalDistribution(values)
    return distribution(p)


def text(points: Sequence[Point], card: TaskCard) -> str:
    """A Python file: `points`, `suggest(trial)` and a `study` in which the points are in line."""
    lines = []
    for point in points:
        attributes = {"source": point.source, "rationale": point.rationale}
        lines.append(f"({point.config!r}, {attributes!r})")
    directions = [m.direction for m in card.metrics]
    return page(
        '"""Starting points for an Optuna study. Copy what you need, or import `study`."""',
        "import optuna",
        listed("points", lines),
        _suggest(card.space),
        f"study = optuna.create_study(directions={directions!r})\n"
        "for config, attributes in points:\n"
        "    study.enqueue_trial(config, user_attrs=attributes, skip_if_exists=True)",
    )


def _suggest(space: Space) -> str:
    try:
        _check(space)
    except SpaceError as e:
        return left_out(e)
    lines = [
        "def suggest(trial):",
        '    """The configuration of a trial; a parameter that is not active is absent."""',
        "    config = {}",
    ]
    for p in parents_first(space):
        indent = "    "
        if p.when:
            tests = [f"config.get({parent!r}) in {list(values)!r}" for parent, values in p.when.items()]
            lines.append(f"    if {' and '.join(tests)}:")
            indent *= 2
        lines.append(f"{indent}config[{p.name!r}] = trial.{_call(p)}")
    return "\n".join([*lines, "    return config"])


def _call(p: Parameter) -> str:
    match p:
        case Choice():
            return f"suggest_categorical({p.name!r}, {list(p.choices)!r})"
        case Int() if p.rounding:
            return f"suggest_categorical({p.name!r}, {steps('Optuna', p)!r})"
        case _:
            found: Any = _distribution(p)
            kind, plain = ("int", 1) if isinstance(p, Int) else ("float", None)
            more = ", log=True" if found.log else f", step={found.step!r}" if found.step != plain else ""
            return f"suggest_{kind}({p.name!r}, {found.low!r}, {found.high!r}{more})"
