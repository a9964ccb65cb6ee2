from typing import Any

from toy import card, config, done

from tunewright.brief import brief
from tunewright.brief_history import BEST
from tunewright.trial import Trial


def test_of_several_metrics_the_front_comes_first_and_numbers_have_names() -> None:
    from dataclasses import replace

    from tunewright.questions import Asker
    from tunewright.surrogate import fit
    from tunewright_tools.base import Outcome

    metrics = [{"name": "acc", "direction": "maximize"}, {"name": "ms", "direction": "minimize"}]
    given = card(metric=None, direction=None, metrics=metrics, constraints=["ms <= 100"])
    pairs = [(0.9 - 0.01 * i, 50.0 + i) for i in range(BEST)] + [(0.5, 10.0), (0.99, 200.0)]
    trials = [
        replace(done(i, c, 0.0), outcome=Outcome("done", {"acc": acc, "ms": ms}))
        for i, (c, (acc, ms)) in enumerate(zip(given.space.sample(len(pairs), 0), pairs, strict=True))
    ]
    told = brief(given, trials, surrogate=fit(given, trials, seed=0), candidate=config())
    assert [t.number for t in told.history.best] == [0, BEST, *range(1, BEST - 1)]
    text = Asker(given.space, lean=False).ask("propose", told, 1).messages[-1].content
    assert "first those that no other beats in every metric, each by `acc`:\n- trial 0 " in text
    assert "where it expects `acc` 0." in text


def test_assumed_defaults_are_marked() -> None:
    from tunewright.space import Float, Space

    told = brief(card(space=Space(Float("lr", 1e-4, 1e-2, log=True))), []).space.parameters[0]
    assert told.assumed
    assert told.default == 1e-3
    assert told.scale == "log"


def test_derived_quantities_are_formulas() -> None:
    told = brief(card(derived={"cost": {"width": 2, "lr": 1}}), [])
    assert told.task.derived == {"cost": "width^2 * lr"}


def test_no_stretch_is_called_unseen_that_is_outside_the_bounds_or_held() -> None:
    from tunewright.space import Int, Space
    from tunewright.surrogate import fit

    def unseen(low: int, high: int, **more: Any) -> list[tuple[int, int]]:
        given = card(space=Space(Int("width", low, high)), **more)
        trials = [done(i, {"width": w}, float(w)) for i, w in enumerate([20, 30, 190, 200])]
        view = brief(given, trials, surrogate=fit(given, trials, seed=0)).view
        assert view is not None
        return [(gap.low, gap.high) for gap in view.unseen]

    assert unseen(1, 200) == [(30, 190)]
    assert unseen(10, 30) == [(10, 20)]
    assert unseen(1, 200, held={"width": 20}) == []


def test_the_textbook_stands_beside_its_parameter_unless_that_is_held() -> None:
    from tunewright.textbook import views

    given = card(goal="a network trained with AdamW")
    told = {p.name: p.usual for p in brief(given, [], textbook=views(given)).space.parameters}
    assert told["lr"] is not None
    assert (told["lr"].guess, told["lr"].low, told["lr"].high) == (1e-3, 1e-4, 5e-3)
    assert told["optimizer"] is not None
    assert told["optimizer"].allowed == ("adamw", "sgd")
    assert not any(p.usual for p in brief(given, []).space.parameters)
    held = card(goal="a network trained with AdamW", held={"lr": 0.01})
    assert brief(held, [], textbook=views(held)).space.parameters[0].usual is None


def test_the_time_that_runs_took_comes_before_the_time_on_the_card() -> None:
    given = card(minutes_per_trial=12, budget={"seconds_per_trial": 1800, "memory_gb_per_trial": 1.5})
    before, after = brief(given, []).budget, brief(given, [done(0, config(), 1.0)]).budget
    assert (before.seconds_per_trial, before.minutes_per_trial) == ("", "12")
    assert (after.seconds_per_trial, after.minutes_per_trial) == ("1", "")
    assert (before.most_seconds, before.most_gib) == ("1800", "1.5")


def test_the_context_of_the_data_decides_what_is_told_of_it() -> None:
    facts = {"name": "people", "rows": 60, "classes": 2, "strongest": [0.5], "skewed": 0.1}
    full = brief(card(data=facts), []).task.data
    partial = brief(card(data={**facts, "context": "partial"}), []).task.data
    assert full is not None
    assert partial is not None
    assert (full.name, full.rows, full.strongest) == ("people", 60, (0.5,))
    assert (partial.name, partial.rows, partial.classes, partial.strongest, partial.skewed) == ("", 60, 2, (), None)
    assert brief(card(data={**facts, "context": "none"}), []).task.data is None


def test_the_curves_of_the_best_and_the_latest_are_told_as_facts() -> None:
    from dataclasses import replace

    from tunewright.questions import Asker
    from tunewright_tools.base import Outcome, Point

    def curved(number: int, losses: list[float], status: str = "done") -> Trial:
        points = tuple(Point(float(i + 1), {"loss": v, "train_loss": v / 3}, float(i)) for i, v in enumerate(losses))
        metrics = {"loss": losses[-1]} if status == "done" else {}
        outcome = Outcome(status, metrics, points, detail="stopped early")  # type: ignore[arg-type]
        return replace(done(number, config(), 1.0), status=status, outcome=outcome)

    trials = [curved(0, [3.0 - 0.3 * i for i in range(9)]), curved(1, [3.0, 3.1], "pruned"), done(2, config(), 5.0)]
    history = brief(card(), trials).history
    assert history.best[0].signs.improving
    assert [(t.number, t.step, t.value) for t in history.stopped] == [(1, 2.0, 3.1)]
    text = Asker(card().space, lean=False).ask("propose", brief(card(), trials), 1).messages[-1].content
    (first,) = [line for line in text.splitlines() if line.startswith("- trial 0 ")]
    assert first.endswith('; curve: still improving at its end, "loss" worse than "train_loss" by 0.4')
    (second,) = [line for line in text.splitlines() if line.startswith("- trial 1: ")]
    assert second.endswith(" -> 3.1 at step 2")
    assert "curve" not in next(line for line in text.splitlines() if line.startswith("- trial 2 "))
