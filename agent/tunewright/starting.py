"""Points to start from that no model gives: the best of earlier trials, and the textbook's."""

from collections.abc import Sequence

from tunewright.card import TaskCard
from tunewright.earlier import Earlier, Past
from tunewright.textbook import points, views
from tunewright.trial import Proposal, Source, Trial

EARLIER = 3
"""Starting points from earlier trials; one from a study of the very same task, whose values are known."""
TEXTBOOK = 3
"""Starting points from the textbook, where no model gives any."""
_GOOD = 0.2
"""Share of an earlier study's trials that count as good."""


def of_earlier(card: TaskCard, sets: Sequence[Earlier]) -> list[Proposal]:
    """The best of the earlier trials, spread, at most `EARLIER`; the sets take turns. All can run as they are.

    The first of a set is its best trial. Each further one is the trial, among the best fifth, that is farthest in the
    unit cube from those taken before (maximin), so that one good corner is not tried three times.
    """
    default = {card.space.key(card.space.default())} if card.start == "default" else set()
    pools = [_good(card, one, default) for one in sets]
    taken: list[Proposal] = []
    for turn in range(EARLIER):
        for i, one in enumerate(sets):
            pool = pools[i]
            if not pool or len(taken) == EARLIER or (one.same_task and turn):
                continue
            best = _farthest(card, pool, taken) if turn else pool[0]
            value = f"{card.primary.name} {best.metrics[card.primary.name]:.4g}"
            taken.append(Proposal(best.config, "earlier", f"{value} in {one.name}"))
            key = card.space.key(best.config)
            pools = [[t for t in other if card.space.key(t.config) != key] for other in pools]
    return taken


def _good(card: TaskCard, one: Earlier, without: set[str]) -> list[Past]:
    """Its good trials that may run, best first; one that says nothing of a constraint counts as keeping it."""
    found = [
        t
        for t in one.trials
        if t.done and t.runnable and all(c.holds(t.metrics) for c in card.constraints if c.metric in t.metrics)
    ]
    found.sort(key=lambda t: card.primary.loss(t.metrics[card.primary.name]))
    kept: dict[str, Past] = {}
    for t in found[: max(EARLIER, round(_GOOD * len(found)))]:
        if card.space.key(t.config) not in without:
            kept.setdefault(card.space.key(t.config), t)
    return list(kept.values())


def _farthest(card: TaskCard, pool: Sequence[Past], taken: Sequence[Proposal]) -> Past:
    units = card.space.to_unit([t.config for t in pool])
    before = card.space.to_unit([p.config for p in taken])
    gaps = ((units[:, None, :] - before[None, :, :]) ** 2).sum(-1).min(1)
    return pool[int(gaps.argmax())]


def worth_more(card: TaskCard, trials: Sequence[Trial]) -> bool:
    """Whether more of the best earlier trials should run: not once the first were no better than the default."""

    def best(turn: Source) -> float | None:
        values = [t.outcome.metrics[card.primary.name] for t in trials if t.turn == turn and t.done and t.outcome]
        return min(map(card.primary.loss, values), default=None)

    default, earlier = best("default"), best("earlier")
    return default is None or earlier is None or earlier < default


def of_textbook(card: TaskCard, seed: int) -> list[Proposal]:
    """The textbook's points, at most `TEXTBOOK`; none unless it recognises more than half of the card's parameters.

    What it does not recognise is spread to the corners of its range, which is worse than drawing all evenly.
    """
    known = list(views(card))
    if 2 * len(known) <= len(card.space):
        return []
    why = f"the textbook's usual values of {', '.join(known)}"
    return [Proposal(config, "textbook", why) for config in points(card, TEXTBOOK, seed)]
