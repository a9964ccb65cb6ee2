"""Which parameters matter, over trials of moved bounds too."""

from pathlib import Path

import pytest
from toy import card

from tunewright import Tuner
from tunewright.errors import StudyError
from tunewright.importance import comparable, importance
from tunewright.space import Float, Int, Space
from tunewright.study import Study

BOTH = Space(Float("x", 0.0, 1.0), Float("still", 0.0, 1.0, default=0.5))


def test_what_decides_has_all_of_it(tmp_path: Path) -> None:
    with Tuner(card(space=BOTH), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        with pytest.raises(StudyError, match="0 trials"):
            importance(tuner.study, 0)
        tuner.enqueue([{"x": i / 10, "still": 0.5} for i in range(10)])
        tuner.run(lambda c: c["x"], trials=11)
        assert importance(tuner.study, 0) == {"x": pytest.approx(1.0), "still": pytest.approx(0.0)}


@pytest.mark.parametrize("unit", [1e-9, 1e-200, 1e200])
def test_the_metrics_unit_decides_nothing(tmp_path: Path, unit: float) -> None:
    with Tuner(card(space=BOTH), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.enqueue([{"x": i / 10, "still": 0.5} for i in range(10)])
        tuner.run(lambda c: unit * c["x"], trials=10)
        assert importance(tuner.study, 0) == {"x": pytest.approx(1.0), "still": pytest.approx(0.0)}


def test_trials_are_rated_by_their_places_on_the_scales_that_are_searched(tmp_path: Path) -> None:
    space = Space(
        Float("plain", 0.0, 2.0),
        Float("rate", 1e-5, 1e-1, log=True),
        Float("share", 0.001, 0.999, logit=True),
        Int("width", 5, 600, rounding="power_of_two"),
        Int("steps", 1, 10**6, log=True),
    )
    with Tuner(card(space=space), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.enqueue(space.sample(4, seed=0))
        for trial in tuner.ask(5):
            tuner.tell(trial, 0.0)
        made, trials = comparable(tuner.study), tuner.study.trials()
    for trial, u in zip(made.trials, space.to_unit([t.config for t in trials]), strict=True):
        ends = [trial.distributions[name] for name in space.names]
        places = [(trial.params[d] - e.low) / (e.high - e.low) for d, e in zip(space.names, ends, strict=True)]
        assert places == pytest.approx(u)


def test_a_parameter_on_a_log_scale_has_its_share(tmp_path: Path) -> None:
    space = Space(Float("plain", 0.0, 1.0), Float("rate", 1e-5, 1e-1, log=True))
    with Tuner(card(space=space), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.enqueue(space.sample(24, seed=0))
        for trial in tuner.ask(25):
            tuner.tell(trial, float(space.to_unit([trial.config]).sum()))
        assert importance(tuner.study, 0) == {name: pytest.approx(0.5, abs=0.15) for name in space.names}


def test_a_study_that_another_process_renamed_is_rated_and_one_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with Tuner(card(space=BOTH), None, storage=url, folder=tmp_path / "runs") as tuner:
        tuner.run(lambda c: c["x"], trials=4)
        before = importance(tuner.study, 0)
        elsewhere = Study.load(url)
        elsewhere.rename("other")
        assert importance(tuner.study, 0) == before
        elsewhere.delete()
        with Tuner(card(name="new", space=BOTH), None, storage=url, folder=tmp_path / "runs") as newer:
            newer.run(lambda c: -c["x"], trials=4)  # has the number of the one that is gone
        with pytest.raises(StudyError, match="the study is there no more"):
            importance(tuner.study, 0)


def test_trials_that_do_not_vary_are_said_to(tmp_path: Path) -> None:
    with Tuner(card(space=BOTH), None, storage=f"sqlite:///{tmp_path}/s.db", folder=tmp_path / "runs") as tuner:
        tuner.enqueue([{"x": i / 4, "still": 0.5} for i in range(4)])
        tuner.run(lambda c: 0.5, trials=4)
        with pytest.raises(StudyError, match="variance"):
            importance(tuner.study, 0)


def test_a_parameter_whose_bounds_were_moved_is_rated(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"
    for bounds, values in (((0.0, 1.0), (0.1, 0.5, 0.9)), ((0.0, 0.6), (0.2, 0.4, 0.6))):
        moved = Space(Float("x", *bounds), Float("still", 0.0, 1.0, default=0.5))
        with Tuner(card(space=moved), None, storage=storage, folder=tmp_path / "runs") as tuner:
            tuner.enqueue([{"x": x, "still": 0.5} for x in values])
            tuner.run(lambda c: c["x"], trials=3)
            shares = importance(tuner.study, 0)
    assert shares["x"] > 0.9
