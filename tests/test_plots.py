"""Plots show what the record and the verbs say."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from toy import card, objective

from tunewright import Tuner
from tunewright.errors import StudyError
from tunewright.plots import kinds, plot
from tunewright.space import Float, Space
from tunewright.study import Study


def test_plots_drawn_at_the_same_time_are_those_drawn_in_turn(tmp_path: Path) -> None:
    """A server draws in several threads; pyplot has one current figure for all of them."""
    kinds = ["history", "slice", "history", "slice"]
    tuner = Tuner(card(), storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs", model=None)
    try:
        tuner.run(objective, trials=4)
        plot(tuner.study, "history")  # the first one sets a style for all later ones
        alone = [plot(tuner.study, kind) for kind in kinds]
        with ThreadPoolExecutor(len(kinds)) as pool:
            together = list(pool.map(lambda kind: plot(tuner.study, kind), kinds))
        assert together == alone
    finally:
        tuner.close()


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_importance_is_drawn_as_fanova_rates_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: float) -> None:
    from matplotlib import pyplot

    drawn: dict[str, float] = {}

    def read_off(*_: Any, **__: Any) -> None:
        axes = pyplot.gca()
        names = [label.get_text() for label in axes.get_yticklabels()]
        drawn.update(zip(names, (bar.get_width() for bar in axes.patches), strict=True))

    free = card(space=Space(Float("x", 0.0, 1.0), Float("still", 0.0, 1.0, default=0.5)))
    with Tuner(free, None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.enqueue([{"x": i / 10, "still": 0.5} for i in range(10)])
        tuner.run(lambda c: unit * c["x"], trials=11)
        monkeypatch.setattr(pyplot, "savefig", read_off)
        plot(tuner.study, "importance")
    assert drawn == {"x": pytest.approx(1.0), "still": pytest.approx(0.0)}


def test_a_front_is_among_the_plots_of_two_or_three_metrics() -> None:
    def of(n: int) -> dict[str, str]:
        metrics = [{"name": f"m{i}", "direction": "minimize"} for i in range(n)]
        return kinds(card(metric=None, direction=None, metrics=metrics))

    assert [("front" in of(n), len(of(n))) for n in (1, 2, 3, 4)] == [(False, 5), (True, 6), (True, 6), (False, 5)]


def test_a_front_of_one_metric_is_refused_with_what_would_be_drawn(tmp_path: Path) -> None:
    with Tuner(card(), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.run(lambda c: c["lr"], trials=2)
        with pytest.raises(StudyError, match="has 1: loss") as told:
            plot(tuner.study, "front")
    assert "history" in told.value.hint


@pytest.mark.parametrize("kind", ["history", "importance", "curves"])
def test_a_study_that_another_process_renamed_is_drawn_and_one_that_is_gone_is_said_to_be(
    tmp_path: Path, kind: str
) -> None:
    def curved(c: dict[str, Any], ctx: Any) -> float:
        ctx.report(1, loss=c["lr"])
        return float(c["lr"])

    url = f"sqlite:///{tmp_path}/s.db"
    with Tuner(card(), None, storage=url, folder=tmp_path / "runs") as tuner:
        tuner.run(curved, trials=3)
        elsewhere = Study.load(url)
        elsewhere.rename("other")
        assert plot(tuner.study, kind).startswith(b"\x89PNG")
        elsewhere.delete()
        with Tuner(card(name="new"), None, storage=url, folder=tmp_path / "runs") as newer:
            newer.run(curved, trials=3)  # has the number of the one that is gone
        with pytest.raises(StudyError, match="the study is there no more"):
            plot(tuner.study, kind)


def test_curves_are_drawn_of_stopped_runs_too(tmp_path: Path) -> None:
    def falling(c: dict[str, Any], ctx: Any) -> float:
        for step in range(1, 6):
            if ctx.report(step, loss=c["lr"] + 1 / step):
                break
        return float(c["lr"])

    stopping = card(start="none", pruner={"name": "threshold", "options": {"upper": -1.0}})
    with Tuner(stopping, None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        with pytest.raises(StudyError, match="has 0 finished trials"):
            plot(tuner.study, "curves")
        assert [t.status for t in tuner.run(falling, trials=3).trials] == ["done", "pruned", "pruned"]
        assert plot(tuner.study, "curves").startswith(b"\x89PNG")
        with pytest.raises(StudyError, match="has 1 finished trials"):
            plot(tuner.study, "history")
