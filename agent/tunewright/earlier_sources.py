"""Read earlier trials: from a CSV file, an Optuna study, or one of our own studies; nothing is written there."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from tunewright.attempts import latest
from tunewright.card import TaskCard
from tunewright.card_earlier import EarlierCard
from tunewright.card_parts import build
from tunewright.clean import listed
from tunewright.earlier import Earlier, Row, fitting, parsed
from tunewright.earlier_csv import from_csv
from tunewright.errors import CardError, StudyError, did_you_mean
from tunewright.rows import to_trial
from tunewright.storage import Address, in_words
from tunewright.study import Study
from tunewright.trial import Trial

if TYPE_CHECKING:
    import optuna

    Source = Earlier | EarlierCard | Mapping[str, Any] | str | PathLike[str] | Study | optuna.Study


def read_all(sources: Iterable["Source"], card: TaskCard, known: Iterable[str] = ()) -> list[Earlier]:
    """The sources as sets of earlier trials; those named in `known` are on record and are not read again.

    Raises:
        CardError: a source cannot be read as one, or two have the same name.
        StudyError: a file, database or study is not there; nothing in it fits the card.
    """
    taken = set(known)
    sets: list[Earlier] = []
    for source in sources:
        resolved = _resolved(source)
        name = _name(resolved)
        if name in taken:
            if name in [one.name for one in sets]:
                raise CardError(f"the earlier trials {name!r} are given twice", "give each source once")
            continue
        sets.append(read(resolved, card))
        taken.add(sets[-1].name)
    return sets


def read(source: "Source", card: TaskCard) -> Earlier:
    """One source as a set of earlier trials, checked against the card.

    Args:
        source: a path of a CSV file, the URL of a database (`NAME@URL` where it holds several studies), a mapping with
            the keys of `EarlierCard`, an Optuna study, a `Study`, or an `Earlier`, which is given back.
        card: the task that is tuned now.

    Raises:
        CardError, StudyError: as for `read_all`.
    """
    source = _resolved(source)
    if isinstance(source, Earlier):
        return source
    if isinstance(source, Study):
        return of_trials(_name(source), source.card, source.trials(), card)
    if isinstance(source, EarlierCard):
        return from_csv(source, card) if source.csv is not None else _from_storage(source, card)
    return _from_optuna(source.study_name, source, card)


def _resolved(source: "Source") -> "Earlier | EarlierCard | Study | optuna.Study":
    if isinstance(source, Earlier | EarlierCard | Study):
        return source
    if isinstance(source, Mapping):
        return build(EarlierCard, source, "earlier")
    if isinstance(source, str):
        return EarlierCard.of(source)
    if isinstance(source, PathLike):
        return EarlierCard(csv=str(source))
    if hasattr(source, "get_trials") and hasattr(source, "study_name"):
        return source
    raise CardError(
        f"{source!r} is no source of earlier trials",
        "give a CSV path, a database URL, an Optuna study, a Study or an Earlier",
    )


def _name(source: "Earlier | EarlierCard | Study | optuna.Study") -> str:
    if isinstance(source, Study):
        return f"{source.name}@{source.storage}"
    return source.name if isinstance(source, Earlier | EarlierCard) else source.study_name


# -- studies -----------------------------------------------------------------------------------------------------------


def _from_storage(source: EarlierCard, card: TaskCard) -> Earlier:
    import optuna

    address = Address.of(str(source.storage))
    if address.path is not None and not address.path.exists():
        raise StudyError(f"there is no file {address.path}", "check the path of the earlier study")
    try:
        storage = _read_only(address)
        try:
            names = optuna.get_all_study_names(storage)
            name = source.study or (names[0] if len(names) == 1 else None)
            if name not in names:
                seen = listed(names) or "no study"
                raise StudyError(
                    f"{address.shown} holds {seen}" + (f", not {source.study!r}" if source.study else ""),
                    f"{did_you_mean(name, names) if name else ''}name one of them: NAME@{address.shown}",
                )
            study = optuna.load_study(study_name=name, storage=storage)
            return _from_optuna(source.name, study, card, source.metric, source.assume)
        finally:
            storage.engine.dispose()
    except StudyError:
        raise
    except Exception as e:
        raise in_words(e, address, "be read") from None


def _read_only(address: Address) -> "optuna.storages.RDBStorage":
    import sqlalchemy
    from optuna.storages import RDBStorage

    url = address.url
    if address.path is not None:
        url = f"sqlite:///file:{address.path.as_posix().replace('?', '%3f').replace('#', '%23')}?mode=ro&uri=true"
    engine = sqlalchemy.create_engine(url)
    try:
        if not sqlalchemy.inspect(engine).has_table("studies"):
            raise StudyError(f"{address.shown} holds no study", "name a database of Optuna's or of ours")
    finally:
        engine.dispose()
    return RDBStorage(url.replace("{", "{{").replace("}", "}}"), skip_table_creation=True)


def _from_optuna(
    name: str,
    study: "optuna.Study",
    card: TaskCard,
    metric: str | None = None,
    assume: Mapping[str, Any] | None = None,
) -> Earlier:
    if "card" in study.user_attrs and "tunewright" in study.user_attrs:
        attempts = [t for row in study.get_trials(deepcopy=False) if (t := to_trial(row)) is not None]
        past = TaskCard.from_json(study.user_attrs["card"])
        return of_trials(name, past, latest(attempts), card, metric=metric, assume=assume)
    objective = _objectives(study, card, metric)
    extra = [c.metric for c in card.constraints]
    unknown = {p for t in study.get_trials(deepcopy=False) for p in t.params} - set(card.space.names)
    notes = [f"parameters that are not on the card were ignored: {listed(sorted(unknown))}"] if unknown else []
    rows = [_optuna_row(card, t, objective, extra) for t in study.get_trials(deepcopy=False)]
    return fitting(name, card, rows, assume=assume, notes=notes)


def _objectives(study: "optuna.Study", card: TaskCard, metric: str | None) -> dict[str, int]:
    """Which of the study's objectives is which of the card's metrics."""
    names = study.metric_names
    directions = [d.name.lower() for d in study.directions]
    if names is None:
        if len(directions) != len(card.metrics):
            raise StudyError(
                f"the Optuna study {study.study_name!r} has {len(directions)} objectives without names, the card "
                f"{len(card.metrics)} metrics",
                "name them: study.set_metric_names([...])",
            )
        names = [m.name for m in card.metrics]
        metric = None  # its one objective has no name that could differ
    found: dict[str, int] = {}
    for m in card.metrics:
        there = metric if metric is not None and m is card.primary else m.name
        if there not in names:
            raise StudyError(
                f"the Optuna study {study.study_name!r} measures {listed(names)}, not {there}",
                f"{did_you_mean(there, names)}say which it is: metric: NAME",
            )
        _same_direction(study.study_name, there, directions[names.index(there)], m.direction)
        found[m.name] = names.index(there)
    return found


def _same_direction(study: str, metric: str, theirs: str, ours: str) -> None:
    if theirs != ours:
        raise StudyError(
            f"study {study!r} tries to {theirs} {metric}, the card to {ours} it",
            "give its trials as a CSV file with the metric in the card's form",
        )


def _optuna_row(card: TaskCard, t: Any, objective: Mapping[str, int], extra: Sequence[str]) -> Row:
    state = t.state.name.lower()
    values = {name: _native(card, name, t.params[name]) for name in card.space.names if name in t.params}
    metrics = {name: float(t.values[i]) for name, i in objective.items()} if state == "complete" else {}
    for name in extra:
        if name not in metrics and isinstance(t.user_attrs.get(name), int | float):
            metrics[name] = float(t.user_attrs[name])
    return Row(values, metrics, {"complete": "done", "fail": "failed"}.get(state, state))


def _native(card: TaskCard, name: str, value: Any) -> Any:
    """A value of Optuna's; one that is written otherwise on the card (1 for 1.0 among choices) is found by its text."""
    return value if card.space[name].fault(value) is None else parsed(card.space[name], str(value))


def of_trials(
    name: str,
    past: TaskCard,
    trials: Iterable[Trial],
    card: TaskCard,
    *,
    metric: str | None = None,
    assume: Mapping[str, Any] | None = None,
    same_task: bool = False,
) -> Earlier:
    """Trials of one of our own studies, whose card was `past`, as a set of earlier trials.

    Raises:
        StudyError: the metrics do not match, or nothing fits.
    """
    theirs = {m.name: m.direction for m in past.metrics}
    named: dict[str, str] = {}
    for m in card.metrics:
        there = metric if metric is not None and m is card.primary else m.name
        if there not in theirs:
            raise StudyError(
                f"the study {past.name!r} measures {', '.join(theirs)}, not {there}",
                f"{did_you_mean(there, theirs)}say which it is: metric: NAME",
            )
        _same_direction(past.name, there, theirs[there], m.direction)
        named[m.name] = there
    unknown = [p for p in past.space.names if p not in card.space]
    notes = [f"parameters that are not on the card were ignored: {', '.join(unknown)}"] if unknown else []
    rows = []
    for t in trials:
        found = t.outcome.metrics if t.done and t.outcome else {}
        metrics = {ours: found[there] for ours, there in named.items() if there in found}
        # under the name of one of ours they may have measured something else
        metrics |= {name: value for name, value in found.items() if name not in named}
        fault = t.outcome.fault if t.outcome else None
        status = t.status if fault in (None, "config") else f"{t.status} by a fault of the machine"
        rows.append(Row(t.config, metrics, status))
    return fitting(name, card, rows, assume=assume, notes=notes, same_task=same_task)
