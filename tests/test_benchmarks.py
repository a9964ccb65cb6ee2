"""The benchmark: tasks agree with scores measured elsewhere, advisors answer in the tuner's shape, tables add up."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks.bayesmark import advisors, data, methods, runs, table, truth  # noqa: E402
from benchmarks.bayesmark.cache import Evaluations  # noqa: E402
from benchmarks.bayesmark.peers import PEERS  # noqa: E402
from benchmarks.bayesmark.run import main  # noqa: E402
from benchmarks.bayesmark.tasks import DEV, FAST, REPORT, SATURATED, TASKS, Task, select  # noqa: E402
from benchmarks.bayesmark.truth import Truth  # noqa: E402

from tunewright.llm.base import Chat, Request  # noqa: E402
from tunewright.reply import parse  # noqa: E402
from tunewright.zero_shot import warmstart  # noqa: E402

CHEAP = ("wine/DecisionTree", "diabetes/DecisionTree", "iris/SVM", "diabetes/SVM", "iris/RandomForest", "wine/SVM")


# -- the tasks ---------------------------------------------------------------------------------------------------


def test_the_groups_share_out_all_tasks():
    assert len(TASKS) == 25
    assert sorted([*DEV, *REPORT, *SATURATED]) == sorted(TASKS)
    assert (len(DEV), len(REPORT)) == (9, 10)
    assert set(FAST) < set(DEV)


def test_an_unknown_task_is_named_with_what_there_is():
    with pytest.raises(ValueError, match=r"'wine/CNN' is no task; there are the groups dev, .* wine/SVM"):
        select(["wine/CNN"])


@pytest.mark.parametrize("name", CHEAP)
def test_scores_agree_with_those_measured_elsewhere(name):
    task = TASKS[name]
    for config, score in data.pairs(task)[:2]:
        assert task.evaluate(config) == pytest.approx(score, abs=1e-12)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TASKS)
def test_all_pairs_agree(name):
    task = TASKS[name]
    differences = [abs(task.evaluate(config) - score) for config, score in data.pairs(task)]
    assert len(differences) == 25
    off = [d for d in differences if d > 1e-9]
    if name == "iris/AdaBoost":  # the one known disagreement of 625: a row of 120
        assert len(off) <= 1
        assert max(differences) < 1.01 / 120
    else:
        assert not off


@pytest.mark.parametrize("name", TASKS)
def test_recorded_configurations_fit_the_space(name):
    task = TASKS[name]
    designs = [c for seed in range(5) for c in data.design(task, seed)]
    for config in [*designs, *data.recorded_design(task)]:
        checked = task.space.check(config)
        assert not checked.faults
        assert not checked.ignored
        assert checked.config == config


def test_a_network_that_diverges_has_no_score():
    config = data.design(TASKS["wine/MLP_SGD"], 100)[0] | {"learning_rate_init": 1e10, "alpha": 1e300}
    assert TASKS["wine/MLP_SGD"]._measure(config) is None


def test_a_configuration_outside_the_space_is_refused_not_scored():
    task = TASKS["wine/SVM"]
    with pytest.raises(ValueError, match=r"wine/SVM cannot run .*C = 0.5 is outside 1.0 to 1000.0"):
        task.evaluate({"C": 0.5, "gamma": 1e-4, "tol": 0.1})
    with pytest.raises(ValueError, match="cannot run"):
        task.evaluate({"C": 5.0, "gamma": 1e-4, "tol": 0.1, "kernel": "rbf"})


def test_the_card_is_neutral_and_starts_without_a_default():
    for task in TASKS.values():
        card = task.card(25)
        assert card.start == "none"
        assert card.primary.direction == ("minimize" if task.dataset == "diabetes" else "maximize")
        assert card.space == task.space
        assert card.name == f"{task.dataset}-{task.model}"


def test_designs_of_own_seeds_are_stable_and_differ():
    task = TASKS["iris/MLP_SGD"]
    assert data.design(task, 100) == data.design(task, 100)
    assert data.design(task, 100) != data.design(task, 101)
    assert len(data.design(task, 100)) == data.INITIAL
    with pytest.raises(ValueError, match="seed 7 has no initial design: take 0 to 4 or 100 and above"):
        data.design(task, 7)


# -- the cache ---------------------------------------------------------------------------------------------------


class Counted(Task):
    """A task that counts its evaluations and scores by a formula."""

    calls = 0

    def evaluate(self, config):
        Counted.calls += 1
        return None if config["C"] > 500 else config["C"] / 1000


def test_a_score_is_measured_once_also_when_it_failed(tmp_path):
    task = Counted("wine", "SVM")
    Counted.calls = 0
    fine, bad = {"C": 5.0, "gamma": 1e-4, "tol": 0.1}, {"tol": 0.1, "C": 900.0, "gamma": 1e-4}
    evaluations = Evaluations(tmp_path / "e.db")
    assert evaluations.fill(task, [fine, bad], print) == [0.005, None]
    evaluations.close()
    again = Evaluations(tmp_path / "e.db")
    assert again.missing(task, [fine, bad]) == []
    assert again.score(task, dict(reversed(bad.items()))) is None
    assert again.score(task, fine) == 0.005
    assert Counted.calls == 2
    again.close()


# -- the advisors ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played() -> Truth:
    """A truth table of a formula: the score of wine/DecisionTree falls with the depth."""
    task = TASKS["wine/DecisionTree"]
    configs = tuple(task.space.sample(256, 1))
    return Truth(task, configs, tuple(None if c["max_depth"] == 15 else 1 - c["max_depth"] / 20 for c in configs))


def ask(advisor, n=3, purpose="propose"):
    return advisor.complete(Request(messages=(), n_expected=n, purpose=purpose))


def depths(advisor, rounds, n=3):
    replies = [ask(advisor, n) for _ in range(rounds)]
    return [p["config"]["max_depth"] for r in replies for p in r.data["proposals"]]


def made(name, played, seed=3):
    return advisors.advisor(name, played.task, played, seed)


def test_the_table_knows_its_ends(played):
    assert {c["max_depth"] for c in played.best(0.02)} == {1}
    assert {c["max_depth"] for c in played.worst(0.02)} == {15}  # the failed ones
    lower_is_better = Truth(TASKS["diabetes/SVM"], ({"C": 1.0}, {"C": 2.0}, {"C": 3.0}), (0.5, None, 0.2))
    assert lower_is_better.best(0.1) == [{"C": 3.0}]
    assert lower_is_better.worst(0.1) == [{"C": 2.0}]


@pytest.mark.parametrize("name", advisors.NAMES)
def test_advisors_are_chats_with_json_replies(name, played):
    advisor = made(name, played)
    assert isinstance(advisor, Chat)
    for _ in range(6):
        reply = ask(advisor, purpose="first_round")
        if reply.data is not None:
            # NaN is what some models send; the text must still be the data
            assert json.dumps(json.loads(reply.text)) == json.dumps(reply.data)


@pytest.mark.parametrize("name", ["noisy-0.5", "late-good", "misleading"])
def test_honest_advisors_answer_as_many_runnable_configurations_as_asked(name, played):
    space = played.task.space
    advisor = made(name, played)
    for purpose, n in (("first_round", 5), ("propose", 3), ("propose", 1)):
        parsed = parse(ask(advisor, n, purpose).data, space)
        assert len(parsed.configs) == n
        for config, _ in parsed.configs:
            checked = space.check(config)
            assert not checked.faults
            assert not checked.ignored
        assert bool(parsed.prior) == (purpose == "first_round")
        if parsed.prior:
            assert set(parsed.prior) == set(space.names)


@pytest.mark.parametrize("name", advisors.NAMES)
def test_the_same_questions_get_the_same_answers(name, played):
    first, second = made(name, played), made(name, played)
    purposes = ["first_round"] + ["propose"] * 7
    assert [ask(first, 3, p).text for p in purposes] == [ask(second, 3, p).text for p in purposes]


def test_silent_says_nothing(played):
    assert ask(made("silent", played), 5, "first_round").data == {"proposals": []}


def test_recorded_gives_the_reply_once(played):
    advisor = made("recorded", played)
    data_ = ask(advisor, 5, "first_round").data
    assert [p["config"] for p in data_["proposals"]] == data.recorded_reply(played.task)["configs"]
    assert set(data_["prior"]) == set(played.task.space.names)
    assert ask(advisor).data == {"proposals": []}
    assert ask(advisor, 5, "first_round").data == {"proposals": []}


def test_noise_is_the_share_of_bad_answers(played):
    assert max(depths(made("noisy-1", played), 10)) <= 5  # a step of 0.05 is below one depth of 15, three times over
    right = sum(d <= 3 for d in depths(made("noisy-0.8", played), 40))
    wrong = sum(d <= 3 for d in depths(made("noisy-0.2", played), 40))
    assert right > 1.5 * wrong


def test_late_good_and_misleading_turn_round(played):
    late = depths(made("late-good", played), 8)
    assert min(late[:12]) > 9
    assert max(late[12:]) < 6
    misleading = depths(made("misleading", played), 5, n=5)
    assert max(misleading[:5]) < 6
    assert min(misleading[5:]) > 9


def test_adversarial_tries_every_trick(played):
    space = played.task.space
    advisor = made("adversarial", played)
    corners, repeats, out, garbage, constant = (ask(advisor, 3) for _ in range(5))
    for p in corners.data["proposals"]:
        assert not space.check(p["config"]).faults
        assert all(u < 0.1 or u > 0.9 for u in space.to_unit([p["config"]])[0])
    said = [p["config"] for p in corners.data["proposals"]]
    assert all(p["config"] in said for p in repeats.data["proposals"])
    for config, _ in parse(out.data, space).configs:
        assert space.check(config).faults
    assert garbage.data is None
    assert garbage.text
    assert len({json.dumps(p["config"]) for p in constant.data["proposals"]}) == 1


@pytest.mark.parametrize("name", ["noisy", "noisy-2", "noisy-x", "oracle", "late"])
def test_an_unknown_advisor_is_named_with_what_there_is(name, played):
    with pytest.raises(ValueError, match=f"'{name}' is no advisor; there are silent, recorded"):
        made(name, played)


# -- the methods -------------------------------------------------------------------------------------------------


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


def test_an_advisor_without_its_table_says_so(played):
    advisor = advisors.advisor("noisy-1", played.task, None, 0)
    with pytest.raises(ValueError, match="noisy-1 looks at a truth table and was made without one"):
        ask(advisor)


# -- runs and tables ---------------------------------------------------------------------------------------------


def test_runs_are_read_back_and_a_cut_line_is_left_out(tmp_path):
    key = runs.Key("wine/SVM", "random", 100, 2, "1")
    run = runs.Run(key, [{"C": 1.0}, {"C": 2.0}], [0.7, None], [0.1, 0.2], {"note": 1})
    path = tmp_path / "deep" / "runs.jsonl"
    runs.append(path, run)
    other = runs.Run(runs.Key("wine/SVM", "random", 101, 2, "1"), [], [], [])
    runs.append(path, other)
    with path.open("a") as file:
        file.write('{"key": {"task": "wine/SV')
    assert runs.read(path) == {key: run, other.key: other}
    assert runs.read(tmp_path / "none.jsonl") == {}


def test_regret_is_counted_between_best_and_worst():
    accuracy, error = TASKS["wine/SVM"], TASKS["diabetes/SVM"]
    for task in (accuracy, error):
        best, worst = data.reference(task)
        assert table.regret(task, best) == 0
        assert table.regret(task, worst) == 1
        assert table.regret(task, (best + worst) / 2) == pytest.approx(0.5)
    best, worst = data.reference(error)
    scores = [None, worst, None, None, worst, best, worst, worst, worst, None]
    assert table.curve(error, scores) == {5: 1, 10: 0}
    assert table.curve(accuracy, [None] * 5)[5] > 1  # nothing ran to its end: the accuracy is counted as 0


def test_an_estimate_weighs_tasks_alike_and_resamples_within_them():
    # two tasks that differ a lot, seeds that differ little: between-task spread must not enter
    values = {("a", s): 0.1 + 0.01 * (s % 2) for s in range(10)} | {("b", s): 0.9 for s in range(3)}
    found = table.estimate(values)
    assert found.mean == pytest.approx((0.105 + 0.9) / 2)
    assert found.error == pytest.approx(math.sqrt((0.005**2 * 10 / 9) / 10) / 2)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.error, rel=0.2)
    assert table.estimate(values) == found  # seeded


def test_the_interval_of_a_difference_is_paired():
    a = {("t", s): {25: 0.1 * s + 0.02} for s in range(10)}
    b = {("t", s): {25: 0.1 * s} for s in range(10)}
    found = table.difference(a, b, 25)
    assert found.mean == pytest.approx(0.02)
    assert found.high - found.low < 1e-9
    with pytest.raises(ValueError, match="share no task and seed"):
        table.difference(a, {("other", 0): {25: 0.0}}, 25)


def test_a_bootstrap_interval_holds_the_truth_about_as_often_as_it_says():
    import numpy as np

    random = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        values = {(task, s): float(random.normal()) for task in "abcdef" for s in range(8)}
        found = table.estimate(values)
        held += found.low <= 0 <= found.high
    assert 85 <= held <= 99


def test_a_table_counts_the_shared_runs_only():
    full = {("wine/SVM", s): {5: 0.4, 25: 0.1} for s in (0, 1)}
    text = table.table({"ours": full, "theirs": {("wine/SVM", 0): {5: 0.4, 25: 0.3}}}, "theirs", {"ours": 0.5})
    assert "over 1 runs: 1 tasks, seeds 0" in text
    assert "| ours | 0.400 | 0.100 | 0.5 |" in text
    assert "| ours | +0.000 [+0.000, +0.000] | -0.200 [-0.200, -0.200] |" in text
    assert "Runs not counted: ours 1." in text
    assert "nothing can be compared" in table.table({"ours": full, "theirs": {}}, None, {})


def test_a_played_models_own_seeds_are_one_run_of_their_pair():
    assert methods.with_model_seeds("tunewright:noisy-0.5", 2) == ["tunewright:noisy-0.5", "tunewright:noisy-0.5@1"]
    assert methods.with_model_seeds("tunewright:silent", 2) == ["tunewright:silent"]
    scores = {"tunewright:noisy-0.5": 0.9, "tunewright:noisy-0.5@1": 0.7, "tpe": 0.8}
    notes = {"turns": ["user", "llm"], "sources": ["user", "surrogate"]}
    made = [
        runs.Run(runs.Key("wine/SVM", m, 100, 5, "1"), [], [s] * 5, [0.1], notes if ":" in m else {})
        for m, s in scores.items()
    ]
    found = table.curves(made)
    assert set(found) == {"tunewright:noisy-0.5", "tpe"}
    assert found["tunewright:noisy-0.5"]["wine/SVM", 100] == pytest.approx(found["tpe"]["wine/SVM", 100])
    assert "| tunewright:noisy-0.5 | 2 | 50% | 0% | 0.0 |" in table.model_turns(made)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tunewright:misleading@x", "1 or more"),
        ("tunewright:misleading@0", "1 or more"),
        ("tunewright:noisy-0.5@", "1 or more"),
        ("tunewright:silent@1", "that draws"),
        ("gp@1", "that draws"),
    ],
)
def test_only_a_played_model_that_draws_has_a_seed_of_its_own(name, words):
    with pytest.raises(ValueError, match=words):
        methods.check(name)


def test_recorded_curves_are_read():
    task = TASKS["breast/RandomForest"]
    assert data.recorded_curve("llambo-recorded", task, 0)[10] == 0.945054945054945
    assert data.recorded_curve("llambo-recorded", task, 9) is None
    pairs = [(t, s) for t in REPORT for s in (0, 1, 2)]
    found = table.recorded("llambo-recorded", pairs)
    means = [sum(found[p][t] for p in pairs) / len(pairs) for t in data.CHECKPOINTS]
    assert [round(m, 3) for m in means] == [0.364, 0.132, 0.089, 0.085, 0.080]  # as published in the data's own table


# -- the command -------------------------------------------------------------------------------------------------


def arguments(folder, *more):
    tasks = ["--tasks", "wine/DecisionTree", "diabetes/SVM"]
    return [*tasks, "--methods", "random", "--trials", "6", "--results", str(folder), *more]


def test_a_run_is_resumed(tmp_path, capsys):
    assert main(arguments(tmp_path, "--seeds", "100")) == 0
    assert "0 of 2 runs are on record, 2 to go" in capsys.readouterr().err
    assert main(arguments(tmp_path, "--seeds", "100-101")) == 0
    both = capsys.readouterr()
    assert "2 of 4 runs are on record, 2 to go" in both.err
    assert "over 4 runs: 2 tasks, seeds 100, 101" in both.out
    assert main(arguments(tmp_path, "--seeds", "100-101", "--only-table")) == 0
    assert capsys.readouterr().out == both.out
    assert len(runs.read(tmp_path / "runs.jsonl")) == 4


def test_of_runs_by_several_versions_of_the_code_the_latest_alone_count(tmp_path, capsys):
    turns = {"turns": ["llm", "surrogate"], "sources": ["llm", "surrogate"]}
    for code, score in (("old", 0.5), ("new", 0.9)):
        key = runs.Key("wine/DecisionTree", "tunewright:silent", 100, 6, code)
        runs.append(tmp_path / "runs.jsonl", runs.Run(key, [{}] * 6, [score] * 6, [1.0] * 6, turns))
    args = ["--tasks", "wine/DecisionTree", "--seeds", "100", "--trials", "6", "--results", str(tmp_path)]
    args += ["--only-table", "--methods", "tunewright:silent"]
    assert main(args) == 0
    latest = capsys.readouterr().out
    assert "Code: tunewright:silent new." in latest
    assert "| tunewright:silent | 1 |" in latest
    assert main([*args, "--code", "old"]) == 0
    assert "Code: tunewright:silent old." in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path, capsys):
    assert main(arguments(tmp_path / "one", "--seeds", "100-101")) == 0
    args = arguments(tmp_path / "two", "--seeds", "100-101", "--jobs", "2")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.bayesmark", *args], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert result.returncode == 0, result.stderr
    one, two = (runs.read(tmp_path / name / "runs.jsonl") for name in ("one", "two"))
    assert {k: (r.configs, r.scores) for k, r in one.items()} == {k: (r.configs, r.scores) for k, r in two.items()}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--methods", "annealing"], "'annealing' is no method; there are random, tpe"),
        (["--tasks", "mnist"], "'mnist' is no task"),
        (["--seeds", "50"], "seed 50 has no initial design"),
        (["--seeds", "x"], "write seeds as 100-104"),
    ],
)
def test_wrong_arguments_say_what_there_is(args, words, capsys):
    with pytest.raises(SystemExit) as e:
        main(args)
    assert e.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_fast_check_measures_and_prints():
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.bayesmark", "--fast"], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert result.returncode == 0, result.stderr
    assert "over 6 runs: 3 tasks, seeds 100, 101" in result.stdout
    for method in ("random", "tpe", "tunewright:none", "tunewright:recorded"):
        assert f"| {method} |" in result.stdout
