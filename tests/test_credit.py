import math

import numpy as np
import pytest
from toy import card, config, done, failed

from tunewright import hypervolume
from tunewright.credit import GAMMA, TELLING, Score, bad_start, next_turn, rewards, scores
from tunewright.trial import Trial
from tunewright_tools.base import Outcome


def shares(trials, sources, draws: int = 2000) -> dict[str, float]:
    turns = [next_turn(card(), trials, sources, np.random.default_rng([7, i])) for i in range(draws)]
    return {s: turns.count(s) / draws for s in sources}


def test_rewards_count_improvements_of_the_minimised_metric_alone() -> None:
    trials = [done(0, config(), 1.0), done(1, config(), 0.5), done(2, config(), 0.7), failed(3, config())]
    reward = rewards(card(), trials)
    assert reward[0] == 0
    assert 0.5 < reward[1] <= 1
    assert reward[2] == reward[3] == 0


def test_a_reward_grows_with_the_improvement_beside_the_spread_of_the_good_values() -> None:
    before = [done(i, config(), v) for i, v in enumerate([2.0, 5.0, 3.0, 1.0, 4.0])]  # the lower quartile is 2

    def reward(value: float) -> float:
        return rewards(card(), [*before, done(5, config(), value)])[5]

    assert reward(0.5) == pytest.approx(0.5 + 0.5 * math.log2(1.5))
    assert reward(0.0) == reward(-9.0) == 1.0
    assert reward(0.9985) > 0.5
    assert reward(0.9995) == 0.0  # a thousandth of the spread is no improvement
    assert rewards(card(), [done(0, config(), 1.0), done(1, config(), 0.99)])[1] == 1.0  # one value has no spread


def test_a_source_is_scored_by_its_own_turns_and_the_older_ones_fade() -> None:
    trials = [done(0, config(), 5.0), done(1, config(), 4.0, source="llm"), done(2, config(), 6.0)]
    trials.append(done(3, config(), 7.0, source="llm"))
    score = scores(card(), trials, ["llm", "surrogate", "prior"])
    assert score["llm"] == Score(1 + GAMMA**2, 2 + 1)
    assert score["surrogate"] == Score(2, pytest.approx(2 + GAMMA**3 + GAMMA))
    assert score["prior"] == Score(1, 2)
    assert scores(card(), [], ["prior"])["prior"] == Score(1, 2)


def test_rewards_follow_the_direction() -> None:
    trials = [done(0, config(), 1.0), done(1, config(), 0.5), done(2, config(), 2.0)]
    reward = rewards(card(direction="maximize"), trials)
    assert reward[1] == 0
    assert reward[2] > 0.5


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [-5.0, -6.0, -6.0], [0.0, 0.0, -1e-300]])
def test_constant_and_negative_values_give_finite_rewards(values: list[float]) -> None:
    trials = [done(i, config(), v) for i, v in enumerate(values)]
    assert all(0 <= r <= 1 for r in rewards(card(), trials).values())


def test_of_several_metrics_the_growth_of_the_front_is_rewarded() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    several = card(metric=None, direction=None, metrics=metrics, constraints=["memory <= 8"])
    found = [(1.0, 1.0, 1), (1.5, 0.9, 1), (1.5, 2.0, 1), (0.2, 3.0, 9), (1.24, 1.5, 1), (0.1, 4.0, 1), (0.1, 4.0, 1)]
    trials = [
        Trial(i, config(), "llm", status="done", outcome=Outcome("done", {"loss": a, "speed": b, "memory": c}))
        for i, (a, b, c) in enumerate(found)
    ]
    reward = rewards(several, trials)
    assert [reward[i] for i in (0, 1, 3, 6)] == [0, 0, 0, 0]  # first, dominated, infeasible, seen before
    assert 0.5 < reward[4] < reward[2] < reward[5] == 1  # between two others; a new end; better than all
    # (1, -1) and (1.5, -2) against (2, 0): volume 1 before, 1.5 after
    assert reward[2] == pytest.approx(0.5 + 0.5 * math.log2(1.5))


def test_of_several_metrics_each_trial_that_joins_the_front_is_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "size", "direction": "minimize"}]
    several, weighed = card(metric=None, direction=None, metrics=metrics), []
    growth = hypervolume.growth
    monkeypatch.setattr(hypervolume, "growth", lambda before, row: weighed.append(row) or growth(before, row))
    rng = np.random.default_rng(3)
    losses = [(0.3, 0.9), (0.91, 0.32), *rng.uniform(1, 2, (300, 2)).tolist(), (0.6, 0.61)]
    trials = [
        Trial(i, config(), "surrogate", status="done", outcome=Outcome("done", {"loss": a, "size": b}))
        for i, (a, b) in enumerate(losses)
    ]
    for n in range(280, 304):
        scores(several, trials[:n], ["surrogate", "llm"])
    assert len(weighed) == 2  # the second and the last, and nothing anew for each of the turns
    assert next_turn(several, trials, ["surrogate"], np.random.default_rng(0)) == "surrogate"


def test_an_infeasible_improvement_earns_nothing() -> None:
    constrained = card(constraints=["loss >= 0.6"])
    assert rewards(constrained, [done(0, config(), 1.0), done(1, config(), 0.5)])[1] == 0


def test_running_lost_and_cancelled_trials_are_no_evidence() -> None:
    trials = [done(0, config(), 1.0), failed(1, config(), "lost", fault="host", source="llm")]
    trials += [
        failed(2, config(), "cancelled", fault=None, source="llm"),
        Trial(3, config(), "llm", turn="llm"),
    ]
    assert scores(card(), trials, ["llm"]) == scores(card(), trials[:1], ["llm"])


def test_a_turn_whose_proposals_were_refused_is_charged_to_its_source_not_to_the_stand_in() -> None:
    trials = [done(0, config(), 1.0), done(1, config(), 0.5, source="surrogate", turn="llm")]
    score = scores(card(), trials, ["llm", "surrogate"])
    before = scores(card(), trials[:1], ["llm", "surrogate"])
    assert score["llm"].b > before["llm"].b
    assert score["llm"].a == before["llm"].a


def test_the_source_that_delivers_wins_turns() -> None:
    good = [done(i, config(), 10.0 - i, source="llm" if i % 2 else "surrogate") for i in range(2)]
    for i in range(2, 14):
        good.append(done(i, config(), 9.0 - i if i % 2 else 50.0, source="llm" if i % 2 else "surrogate"))
    assert shares(good, ["surrogate", "llm"])["llm"] > 0.7


def test_a_source_that_only_fails_keeps_one_turn_in_five_and_can_win_back() -> None:
    bad = [done(0, config(), 5.0, source="default")]
    bad += [
        done(i, config(), 5.0 - i / 10, source="surrogate") if i % 2 else done(i, config(), 50.0, source="llm")
        for i in range(1, 30)
    ]
    floor = shares(bad, ["surrogate", "llm"])["llm"]
    assert 0.18 < floor < 0.3
    turned = [*bad, *(done(i, config(), 1.0 - i / 100, source="llm") for i in range(30, 38))]
    assert shares(turned, ["surrogate", "llm"])["llm"] > 1.5 * floor


def test_the_same_record_and_seed_give_the_same_turn() -> None:
    trials = [done(0, config(), 1.0)]
    draw = [next_turn(card(), trials, ["surrogate", "llm"], np.random.default_rng(3)) for _ in range(5)]
    assert len(set(draw)) == 1


def test_a_start_is_bad_when_the_first_two_are_no_better_than_the_median_of_the_others() -> None:
    others = [done(0, config(), 1.0), done(1, config(), 2.0), done(2, config(), 3.0)]
    worse = [done(3, config(), 2.5, source="llm"), failed(4, config(), source="llm")]
    assert not bad_start(card(), [*others, worse[0]])  # one is no start yet
    assert bad_start(card(), [*others, *worse])
    assert bad_start(card(), [*others, *worse, done(5, config(), 0.1, source="llm")])  # what comes later counts by turn
    assert not bad_start(card(), [*others, worse[0], done(4, config(), 1.9, source="llm")])
    assert bad_start(card(), [*others, *(done(i, config(), 2.0, source="llm") for i in (3, 4))])  # a tie brings nothing
    assert not bad_start(card(), worse)  # nothing to compare with
    assert not bad_start(card(), [others[0], *worse])  # a single value is no measure
    assert bad_start(card(), [*others[:2], *worse])
    assert not bad_start(card(), [*worse, done(0, config(), 1.0, source="earlier")])
    lost = failed(4, config(), "lost", fault="host", source="llm")
    assert not bad_start(card(), [*others, worse[0], lost, done(5, config(), 1.0, source="llm")])
    assert not bad_start(card(), [*others, worse[0], Trial(4, config(), "llm")])  # it runs, and may be good yet
    better = [done(i, config(), 0.1, source="llm") for i in (3, 4)]
    assert not bad_start(card(), [*others, *better])
    assert bad_start(card(constraints=["loss >= 0.5"]), [*others, *better])


def test_beside_enough_others_one_trial_worse_than_all_is_a_bad_start() -> None:
    others = [done(i, config(), float(i)) for i in range(TELLING)]
    worse = done(TELLING, config(), 9.0, source="llm")
    assert bad_start(card(), [*others, worse])
    assert bad_start(card(), [*others, failed(TELLING, config(), source="llm")])
    assert not bad_start(card(), [*others[1:], worse])
    tie = done(TELLING, config(), TELLING - 1.0, source="llm")
    assert not bad_start(card(), [*others, tie])
    assert not bad_start(card(), [*others, worse, done(TELLING + 1, config(), 0.5, source="llm")])  # two tell more


def test_a_start_is_bad_by_every_metric_or_not_at_all() -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "speed", "direction": "maximize"}]
    several = card(metric=None, direction=None, metrics=metrics)

    def trials(*found: tuple[float, float]) -> list[Trial]:
        return [
            Trial(
                i, config(), "user" if i < 3 else "llm", status="done", outcome=Outcome("done", {"loss": a, "speed": b})
            )
            for i, (a, b) in enumerate([(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), *found])
        ]

    assert bad_start(several, trials((2.5, 1.5), (2.0, 2.0)))
    assert not bad_start(several, trials((2.5, 2.5), (2.5, 1.5)))
