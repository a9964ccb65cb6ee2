"""Methods: peers start from the design and stay inside; a tuner finishes with any played model."""

import json

import pytest
from benchmarks.bayesmark import advisors, data, methods, runs, truth
from benchmarks.bayesmark.cache import Evaluations
from benchmarks.bayesmark.peers import PEERS
from benchmarks.bayesmark.tasks import TASKS

from tunewright.zero_shot import warmstart


@pytest.mark.parametrize(
    "name",
    ["tpe+other", "tpe+", "tunewright", "tunewright:oracle", "ax", "gp:silent", ""],
)
def test_an_unknown_method_is_refused(name):
    with pytest.raises(ValueError, match=r"is no (method|advisor); there are"):
        methods.check(name)


@pytest.mark.parametrize(
    "name", [*PEERS, "gp+recorded", "smac+textbook", "tunewright:none", "tunewright:noisy-0.3", *data.RECORDED]
)
def test_known_methods_pass(name):
    methods.check(name)


@pytest.mark.parametrize("name", ["random", "tpe", "tpe+recorded", "tpe+textbook", "smac"])
def test_peers_start_from_the_design_and_stay_inside(name):
    if name == "smac":
        pytest.importorskip("smac", reason="the peer needs the extra `bench`")
    task = TASKS["wine/DecisionTree"]
    search = methods.searcher(name, task, 100, 12, None)
    designs = {
        "tpe+recorded": data.recorded_design(task),
        "tpe+textbook": warmstart(task.card(25), 5, model=None, seed=100).configs,
    }
    design = designs.get(name, data.design(task, 100))
    asked = []
    for i in range(12):
        asked.append(search.ask())
        assert not task.space.check(asked[-1]).faults
        search.tell(asked[-1], None if i in (1, 7) else i / 12)  # two failures: one in the design, one after it
    assert asked[: len(design)] == design
    assert len({json.dumps(c) for c in asked}) == 12
    search.close()


def test_a_peer_whose_library_is_missing_says_what_to_install(monkeypatch):
    methods.installed("tpe")
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"smac\+textbook needs smac, which is not installed: pip install"):
        methods.installed("smac+textbook")


def test_smac_takes_designs_on_the_bounds_and_leaves_failures_out_of_its_model():
    pytest.importorskip("smac", reason="the peer needs the extra `bench`")
    from benchmarks.bayesmark.smac_peer import Smac

    task = TASKS["wine/MLP_SGD"]  # logit bounds, of which ConfigSpace cuts the last digits
    corners = task.space.from_unit([[0.0] * 6, [1.0] * 6, [0.5] * 6])
    asked = []
    for _ in range(2):
        peer = Smac(task, corners, 3)
        run = []
        for score in (None, 0.2, 0.4, 0.3):
            run.append(peer.ask())
            assert not task.space.check(run[-1]).faults
            peer.tell(run[-1], score)
        statuses = [value.status.name for value in peer._smac.runhistory.values()]
        peer.close()
        asked.append(run)
    assert statuses == ["CRASHED", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert asked[0][:3] == corners
    assert asked[0] == asked[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gp", "botorch"])
def test_model_based_peers_go_where_the_score_is(name):
    task = TASKS["diabetes/SVM"]
    search = methods.searcher(name, task, 100, 15, None)
    errors = []
    for i in range(15):
        config = search.ask()
        assert not task.space.check(config).faults
        error = float(((task.space.to_unit([config])[0] - 0.3) ** 2).sum())
        search.tell(config, None if i == 2 else error)
        errors.append(error)
    assert min(errors[5:]) < min(errors[:5]) / 10


TABLE = [n for n in advisors.NAMES if advisors.needs_truth(n)]


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n == "adversarial" else pytest.mark.slow) for n in TABLE])
def test_a_tuner_finishes_its_run_with_any_played_model(name, tmp_path, monkeypatch):
    monkeypatch.setattr(truth, "POINTS", 64)  # 2,000 take half a minute
    evaluations = Evaluations(tmp_path / "e.db")
    run = runs.run(runs.Key("diabetes/SVM", f"tunewright:{name}", 100, 12, "now"), evaluations, print)
    evaluations.close()
    assert run.configs[:5] == data.design(TASKS["diabetes/SVM"], 100)
    assert len(run.scores) == 12
    assert None not in run.scores
    assert run.notes["calls"] >= 1
    assert "llm" in run.notes["turns"]
    assert len({json.dumps(c, sort_keys=True) for c in run.configs}) == 12  # no trial spent on a repeat


@pytest.mark.slow
def test_the_recorded_points_run_right_after_the_textbooks_guess(tmp_path):
    task = TASKS["diabetes/SVM"]
    evaluations = Evaluations(tmp_path / "e.db")
    run = runs.run(runs.Key(task.name, "tunewright:recorded", 100, 7, "now"), evaluations, print)
    evaluations.close()
    assert run.notes["sources"][:6] == ["textbook", *["llm"] * 5]
    assert run.configs[1:6] == data.recorded_design(task)
