"""The names that a plain sentence may use, and the sentence with each of them replaced by a mark."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunewright.chat.quantities import digits
from tunewright.parameter import Parameter
from tunewright.study import Study

_SYNONYMS = (
    ("lr", "learning rate", "learningrate", "step size", "lernrate", "schrittweite"),
    ("batch size", "bs", "batchsize", "batch", "batch_sz", "batchgröße", "batchgrösse", "batch größe", "stapelgröße"),
    ("weight decay", "wd", "weightdecay", "gewichtszerfall", "l2"),
    ("dropout", "drop out", "dropout rate", "dropout probability", "p drop"),
    ("optimizer", "optimiser", "optim", "opt", "optimierer"),
    ("momentum", "impuls"),
    ("warmup", "warm up", "warmup steps", "aufwärmschritte"),
    ("layers", "depth", "n layers", "num layers", "number of layers", "tiefe", "schichten"),
    ("width", "hidden size", "hidden units", "breite"),
    ("label smoothing", "smoothing"),
    ("epochs", "num epochs", "number of epochs", "epochen"),
    ("seed", "random seed"),
    ("scheduler", "schedule", "lr schedule"),
    ("n estimators", "number of trees", "trees", "bäume"),
    ("max depth", "maximum depth", "tree depth", "maximale tiefe"),
)
# values that are ordinary words of a sentence: they count only right behind the parameter
_ORDINARY = {"none", "true", "false", "on", "off", "auto", "best", "all", "no", "yes", "only", "linear", "log", "full"}


@dataclass(frozen=True)
class Names:
    """What a sentence may speak of. All of it is optional: without it, fewer sentences are understood."""

    parameters: Sequence[Parameter] = ()
    metrics: Sequence[str] = ()
    """Those of the card first, then others that runs reported."""
    constraints: Sequence[str] = ()
    """Bounds and relations, as the card has them."""
    studies: Sequence[str] = ()
    current: str | None = None
    latest: int | None = None
    """Number of the latest trial."""
    best: int | None = None
    """Number of the best trial."""

    @classmethod
    def of(cls, study: Study | None, studies: Sequence[str]) -> "Names":
        """Those of a study on record, beside the names of all studies."""
        if study is None:
            return cls(studies=studies)
        card, trials = study.card, study.trials()
        reported = (m for t in trials if t.outcome is not None for m in t.outcome.metrics)
        best = study.best()
        return cls(
            tuple(card.space),
            tuple(dict.fromkeys([*(m.name for m in card.metrics), *(c.metric for c in card.constraints), *reported])),
            (*(c.text for c in card.constraints), *(r.text for r in card.space.relations)),
            studies,
            study.name,
            max((t.number for t in trials), default=None),
            None if best is None else best.number,
        )


@dataclass(frozen=True)
class Sentence:
    """A sentence with marks: ‹p0› for a parameter, ‹v0› for a value of a choice, ‹m0› for a metric, ‹s0› for a study.

    Numbers are in digits; upper and lower case are as they were said.
    """

    text: str
    names: Names
    parameters: tuple[Parameter, ...] = ()
    values: tuple[tuple[Parameter, Any], ...] = ()
    metrics: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = field(default=())
    """Words that fit several parameters."""

    def has(self, pattern: str) -> re.Match[str] | None:
        """Where the pattern first occurs as whole words."""
        return re.search(rf"(?<![\w‹])(?:{pattern})(?![\w›])", self.text, re.I)


def marked(said: str, names: Names) -> Sentence:
    """The sentence with its names found."""
    text = said
    found: dict[str, list[Any]] = {"s": [], "p": [], "v": [], "m": []}
    text = _mark(text, "s", [(name, name) for name in names.studies], found)
    text = digits(text)
    spoken, doubtful = _spoken(names.parameters)
    text = _mark(text, "p", spoken, found)
    text = _mark(text, "v", _values(names.parameters), found)
    text = _mark(text, "m", [(form, m) for m in names.metrics for form in _forms(m)], found)
    unclear = tuple(word for word in doubtful if re.search(rf"(?<![\w‹]){re.escape(word)}(?![\w›])", text, re.I))
    return Sentence(
        text, names, tuple(found["p"]), tuple(found["v"]), tuple(found["m"]), tuple(found["s"]), doubtful=unclear
    )


def _mark(text: str, kind: str, spoken: Iterable[tuple[str, Any]], found: dict[str, list[Any]]) -> str:
    """The text with each spoken form replaced, the longest first; equal things share one mark."""
    for form, meant in sorted(spoken, key=lambda pair: -len(pair[0])):
        body = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", form)))
        plural = "s?" if kind == "p" and len(form) > 3 else ""
        pattern = rf"(?<![\w‹.-]){body}{plural}(?![\w›]|[.-]\w)"
        if not re.search(pattern, text, re.I):
            continue
        if meant not in found[kind]:
            found[kind].append(meant)
        text = re.sub(pattern, f"‹{kind}{found[kind].index(meant)}›", text, flags=re.I)
    return text


def _forms(name: str) -> set[str]:
    """How a name is said: as it is, and in words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return {name, re.sub(r"[\s_.-]+", " ", words).strip()}


def _spoken(parameters: Sequence[Parameter]) -> tuple[list[tuple[str, Parameter]], list[str]]:
    """Every form that means one parameter; and the forms that several could mean."""
    own: dict[str, list[Parameter]] = {}
    for p in parameters:
        forms = _forms(p.name)
        last = re.split(r"[.]|__", p.name)[-1]
        for form in {*forms, *_forms(last), *(alias for f in {*forms, *_forms(last)} for alias in _aliases(f))}:
            known = own.setdefault(form.lower(), [])
            if p not in known:
                known.append(p)
    exact = {p.name.lower(): p for p in parameters}
    spoken = [(form, exact.get(form, ps[0])) for form, ps in own.items() if len(ps) == 1 or form in exact]
    return spoken, [form for form, ps in own.items() if len(ps) > 1 and form not in exact]


def _aliases(form: str) -> tuple[str, ...]:
    return next((group for group in _SYNONYMS if form.lower() in group), ())


def _values(parameters: Sequence[Parameter]) -> list[tuple[str, tuple[Parameter, Any]]]:
    """Choices that are words, each with its parameter; a word of several parameters means none by itself."""
    owners: dict[str, list[tuple[Parameter, Any]]] = {}
    for p in parameters:
        for choice in getattr(p, "choices", ()):
            if isinstance(choice, str) and len(choice) > 1 and choice.lower() not in _ORDINARY:
                for form in {choice.lower(), choice.lower().replace("_", " ")}:
                    owners.setdefault(form, []).append((p, choice))
    return [(form, pairs[0]) for form, pairs in owners.items() if len(pairs) == 1 and not form.isnumeric()]
