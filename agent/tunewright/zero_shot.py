"""Starting points for any optimizer: asked of a model, filled up from the textbook, checked, spread out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunewright.brief import brief
from tunewright.card import TaskCard, check_is_card
from tunewright.clean import one_line
from tunewright.dataset import Dataset
from tunewright.derived import formula
from tunewright.errors import SpaceError, whole
from tunewright.ledger import Call, Ledger
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.llm.prices import check_priced
from tunewright.parameters import Choice
from tunewright.points import Point
from tunewright.proposer import Proposer
from tunewright.reply import Derived, Prior, sound_derived
from tunewright.space import Space
from tunewright.stopping import most_trials
from tunewright.textbook import View, points, views
from tunewright.textbook import prior as textbook_prior
from tunewright.trial import Proposal, Refusal, Trial, Verdict
from tunewright_tools.base import Config

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Points:
    """Distinct valid configurations, best guess first, the others far from those before them; and what they cost."""

    items: tuple[Point, ...]
    prior: Prior = field(default_factory=dict)
    """Parameter -> {guess, low, high} (80% interval); `prior_from` says of each whose view it is."""
    prior_from: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> `llm` or `textbook`."""
    derived: Derived = field(default_factory=dict)
    """Products of powers of parameters that decide failure, as the model sees it: name -> {parameter: power}. They fit
    under `derived` on a card."""
    data: Dataset | None = None
    """What the card knows of the data; of it the model was told what `context` lets be told."""
    refused: tuple[Refusal, ...] = ()
    """What the model proposed that could not be used, and why."""
    notes: tuple[str, ...] = ()
    """What a person should know: who filled up what is missing, what was left out."""
    requests: tuple[Call, ...] = ()
    """Every request to the model with its prompt and reply."""

    def __iter__(self) -> Iterator[Point]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def configs(self) -> list[Config]:
        """The configurations alone; an inactive parameter is absent."""
        return [dict(point.config) for point in self.items]

    @property
    def calls(self) -> int:
        """Requests made."""
        return len(self.requests)

    @property
    def tokens_in(self) -> int:
        """Tokens that the model read."""
        return sum(call.tokens_in for call in self.requests)

    @property
    def tokens_out(self) -> int:
        """Tokens that the model wrote."""
        return sum(call.tokens_out for call in self.requests)

    @property
    def seconds(self) -> float:
        """Time spent waiting for the model."""
        return sum(call.seconds for call in self.requests)

    @property
    def cost_usd(self) -> float | None:
        """None when a request has no known price; 0.0 without a request."""
        costs = [call.cost_usd for call in self.requests]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def to_json(self) -> dict[str, Any]:
        """As plain data; prompts and replies are left out."""
        refused = [{"config": r.proposal.config, "reason": r.verdict.reason} for r in self.refused]
        return {
            "points": [point.to_json() for point in self.items],
            "prior": self.prior,
            "prior_from": dict(self.prior_from),
            "derived": self.derived,
            "data": None if self.data is None else self.data.to_json(),
            "refused": refused,
            "notes": list(self.notes),
            "calls": self.calls,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "seconds": self.seconds,
            "cost_usd": self.cost_usd,
        }

    def text(self) -> str:
        """A table for people, two lines a point."""
        lines = []
        for i, point in enumerate(self.items):
            config = "  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in point.config.items())
            lines += [f"{i + 1:3}  {point.source:8}  {config}", f"{'':15}{point.rationale or '-'}"]
        return "\n".join(lines)

    def remarks(self) -> list[str]:
        """What was filled up, what was refused, what it took: lines for people."""
        refused = [f"refused: {r.proposal.config!r}: {r.verdict.reason}" for r in self.refused]
        derived = [f"derived, says the model: {name} = {formula(powers)}" for name, powers in self.derived.items()]
        cost = "price unknown" if self.cost_usd is None else f"{self.cost_usd:.4f} USD"
        took = f"{self.tokens_in} tokens in, {self.tokens_out} out, {self.seconds:.1f} s, {cost}"
        asked = f"model: {self.calls} request{'s' * (self.calls != 1)}, {took}" if self.calls else "no model was asked"
        return [*self.notes, *refused, *derived, asked]

    def to_optuna(self, study: "optuna.Study") -> None:
        """Put the points in line in an Optuna study: they are its next trials."""
        from tunewright.export.optuna import enqueue

        enqueue(self.items, study)


def warmstart(
    card: TaskCard,
    n: int = 5,
    model: str | Chat | None = "local",
    *,
    base_url: str | None = None,
    prices: Any = None,
    seed: int = 0,
    textbook: bool = True,
) -> Points:
    """Points to try first, n of them (fewer only where the space holds no more). Nothing is run or recorded.

    The model is asked once, or once more when nothing of its reply can be used; a small one (not `trusted_tools`) is
    asked n times for one. What is missing comes from the textbook or, beyond it, from the card's default and a
    quasi-random sequence, each under its own source name, and `notes` says so.

    Args:
        card: the task; it and the textbook's lines are all that reaches the model. Of its data, `Dataset.told`.
        model: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for the textbook alone.
        base_url: of an OpenAI-compatible server.
        prices: a price table that goes before ours.
        seed: of the request and of the draws.
        textbook: False leaves the textbook out of prompt, points and prior.

    Raises:
        TunerError: `CardError` for what is no card, n below 1 or a seed below 0; `ModelError` when the model cannot be
            asked; `SpaceError` when no valid configuration was found.
    """
    check_is_card(card)
    n, seed = whole(n, "n", 1), whole(seed, "seed", 0)
    chat = open_chat(model, base_url=base_url, prices=prices)
    known = views(card) if textbook else {}
    calls: list[Call] = []
    silent = None
    if chat is not None:
        try:
            check_priced(chat, card.budget.usd)
            chat.check()
            calls, silent = _asked(chat, card, n, seed, known)
        finally:
            if chat is not model:  # a `Chat` that was handed in is its owner's to close
                chat.close()
    kept, refused, notes = _judged(card.space, [p for call in calls for p in call.proposals], n)
    if calls and calls[-1].error:
        error = calls[-1].error.replace("\n  -> ", "; ")
        notes.insert(0, f"the model gave no reply to request {len(calls)}: {error}")
    if silent:
        notes.insert(0, f"the model was not asked: {silent}")
    if len(kept) < n:
        kept, told = _filled(card, kept, n, seed, known, asked=chat is not None and not silent)
        notes += told
    stated: Prior = {name: view for call in calls for name, view in call.prior.items()}
    derived: Derived = {}
    for call in calls:
        sound, unsound = sound_derived(call.derived, card)
        derived |= sound
        notes += [f"left out: {one_line(reason)}" for reason in unsound.values()]
    from_book = textbook_prior(card) if textbook else {}
    return Points(
        items=tuple(_spread(card.space, kept)),
        prior={**from_book, **stated},
        prior_from={**dict.fromkeys(from_book, "textbook"), **dict.fromkeys(stated, "llm")},
        derived=derived,
        data=card.data,
        refused=tuple(refused),
        notes=tuple(notes),
        requests=tuple(calls),
    )


class _Memory:
    """What a ledger needs of a study, kept in memory."""

    def __init__(self, card: TaskCard) -> None:
        self.card = card
        self._attributes: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self._attributes[key] = value

    def swap(self, key: str, value: Any, *, before: Any = None) -> bool:
        if self._attributes.get(key) != before:
            return False
        self.set(key, value)
        return True

    def attributes(self, prefix: str, known: Collection[str] = ()) -> dict[str, Any]:
        return {key: value for key, value in self._attributes.items() if key.startswith(prefix) and key not in known}

    def trials(self) -> list[Trial]:
        return []

    def attempts(self) -> list[Trial]:
        return []


def _asked(chat: Chat, card: TaskCard, n: int, seed: int, known: Mapping[str, View]) -> tuple[list[Call], str | None]:
    """The calls, or why there are none."""
    ledger = Ledger(_Memory(card))
    told = brief(card, [], trials_left=most_trials(card, None), textbook=known)
    proposer = Proposer(chat, card, ledger, seed=seed, budget_usd=card.budget.usd)
    silent = proposer.silenced()
    if silent is None:
        proposer.ask("first_round", 0, told, n, frozenset())
    # as the ledger holds them: keys are removed there
    return sorted(ledger.calls(), key=lambda call: call.started), silent


def _judged(space: Space, proposals: Sequence[Proposal], n: int) -> tuple[list[Point], list[Refusal], list[str]]:
    """The first n usable proposals in the model's order, the others with their reasons, and what was left out."""
    found: dict[str, Point] = {}
    refused: list[Refusal] = []
    ignored: dict[str, None] = {}
    for proposal in proposals:
        checked = space.check(proposal.config)
        key = space.key(checked.config) if not checked.faults else ""
        if checked.faults:
            reason = "invalid: " + "; ".join(map(str, checked.faults))
        elif key in found:
            reason = "repeat: equal to an earlier proposal after rounding"
        elif len(found) == n:
            reason = f"surplus: {n} were asked for"
        else:
            found[key] = Point(checked.config, "llm", one_line(proposal.rationale))
            ignored |= dict.fromkeys(checked.ignored)
            continue
        refused.append(Refusal(proposal, Verdict(False, reason, ignored=checked.ignored)))
    notes = [f"left out of the model's points, as not in the space or not active: {one_line(', '.join(ignored))}"]
    return list(found.values()), refused, notes if ignored else []


# -- filling up --------------------------------------------------------------------------------------------------------


def _filled(
    card: TaskCard, kept: list[Point], n: int, seed: int, known: dict[str, View], *, asked: bool
) -> tuple[list[Point], list[str]]:
    """Up to n points, and sentences about those that were added."""
    space = card.space
    keys = {space.key(point.config) for point in kept}
    notes = [f"the model gave {len(kept)} usable point{'s' * (len(kept) != 1)} of {n}"] if asked else []
    try:
        drawn = points(card, n + len(kept), seed, known)
    except SpaceError as e:
        if not kept:
            raise
        return kept, [*notes, f"nothing was added: {e.message}"]
    fresh = [config for config in drawn if space.key(config) not in keys][: n - len(kept)]
    added = [_labelled(space, config, known) for config in fresh]
    for source in ("textbook", "default", "sobol"):
        count = sum(point.source == source for point in added)
        if count and (asked or source != "textbook"):
            notes.append(f"{count} point{'s' * (count != 1)} of {n} {'is' if count == 1 else 'are'} {_ORIGIN[source]}")
    total = len(kept) + len(added)
    if total < n:
        notes.append(f"{n} were asked for, but only {total} different valid configurations were found")
    return [*kept, *added], notes


_ORIGIN = {
    "textbook": "from the textbook (source: textbook)",
    "default": "the card's default (source: default)",
    "sobol": "drawn evenly from the space (source: sobol)",
}


def _labelled(space: Space, config: Config, known: Mapping[str, View]) -> Point:
    """Who chose it: the textbook, when it knows a parameter of it and all such values are inside its intervals."""
    by_book = [name for name in config if name in known]
    inside = all(_inside(space, name, config[name], known[name]) for name in by_book)
    if by_book and inside:
        usual = all(config[name] == known[name].guess for name in by_book)
        how = "its first choice" if usual else "inside its usual intervals"
        return Point(config, "textbook", f"{how} for {', '.join(by_book)}")
    if space.key(config) == space.key(space.default()):
        return Point(config, "default", "the card's default, or the middle of the scale")
    return Point(config, "sobol", "drawn evenly from the space")


def _inside(space: Space, name: str, value: Any, view: View) -> bool:
    parameter = space[name]
    if isinstance(parameter, Choice):
        return parameter.index(value) in [parameter.index(choice) for choice in view.allowed]
    return bool(parameter.tidy(view.low) <= value <= parameter.tidy(view.high))


# -- the order ---------------------------------------------------------------------------------------------------------


def _spread(space: Space, chosen: Sequence[Point]) -> list[Point]:
    """The first point, then each time the one farthest from all before it (maximin in the unit cube).

    The values of an unordered choice lie 1 apart; an inactive parameter stands at its start value.
    """
    import numpy as np

    units = space.to_unit([point.config for point in chosen])
    gap = np.abs(units[:, None, :] - units[None, :, :])
    for j, p in enumerate(space):
        if isinstance(p, Choice) and not p.ordered:
            gap[:, :, j] = gap[:, :, j] > 0
    distance = (gap**2).sum(axis=2)
    order = [0]
    while len(order) < len(chosen):
        nearest = distance[order].min(axis=0)
        nearest[order] = -1.0
        order.append(int(nearest.argmax()))
    return [chosen[i] for i in order]
