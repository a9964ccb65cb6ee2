"""The warmstart benchmark: points are recorded once, copies are counted as defined, the tables say what they say."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks is no installed package

from benchmarks.bayesmark import data, runs  # noqa: E402
from benchmarks.bayesmark.cache import Evaluations  # noqa: E402
from benchmarks.bayesmark.tasks import TASKS  # noqa: E402
from benchmarks.warmstart import copied, report, sources  # noqa: E402
from benchmarks.warmstart.run import main  # noqa: E402

from tunewright.zero_shot import warmstart  # noqa: E402

TREE, SVM = TASKS["wine/DecisionTree"], TASKS["diabetes/SVM"]
PROMPT = """Hardware: 2 cores.
# Parameters
- `lr`: a number from 1e-05 to 0.1, log scale; usually 0.003 (0.0003 to 0.01). step of L2
- `depth`: a whole number from 1 to 15; default 8 (assumed)
25 trials are left.
"""


def asked(*proposals, prompt=PROMPT):
    return sources.Asked("first_round", prompt, "{}", list(proposals), 10, 5, 0.5, "")


def record(task, source, configs, filled_by, requests=(), seed=0):
    return sources.Record(sources.Key(task, source, seed, "now"), configs, filled_by, list(requests), [])


# -- copies ------------------------------------------------------------------------------------------------------


def test_a_value_is_copied_when_it_is_a_number_of_its_lines():
    found = copied.shares([asked({"lr": 0.1, "depth": 8}, {"lr": 0.003, "depth": 25}), asked({"lr": 0.02, "depth": 3})])
    assert found.values == 6
    assert found.bound == pytest.approx(2 / 6)  # the bound 0.1, the default 8
    assert found.textbook == pytest.approx(1 / 6)
    assert found.elsewhere == pytest.approx(1 / 6)  # 25 trials
    assert found.own_line == pytest.approx(3 / 6)


def test_a_copy_is_exact_and_no_part_of_a_word():
    assert copied.shares([asked({"lr": 0.0011})]).own_line == 0
    assert copied.shares([asked({"depth": 1.5})]).own_line == 0
    # the 2 of `L2` is no number, the 2 of `2 cores` is
    assert copied.shares([asked({"lr": 2})]).elsewhere == 1
    assert copied.shares([asked({"lr": 2}, prompt=PROMPT.replace("2 cores", "cores"))]).elsewhere == 0


def test_chance_counts_other_configurations_under_the_same_prompts():
    requests = [asked({"lr": 0.1}), asked({"lr": 0.05})]
    found = copied.chance(requests, [{"lr": 0.1}, {"lr": 0.2}])
    assert found.values == 2  # one prompt, two configurations
    assert found.own_line == 0.5


def test_what_a_real_prompt_states_is_found():
    class Echo:
        """A model that repeats the bounds."""

        name, trusted_tools = "echo", True

        def check(self):
            pass

        def close(self):
            pass

        def complete(self, request):
            from tunewright.llm.base import Reply

            config = {p.name: p.low for p in SVM.space}
            return Reply(text="", data={"proposals": [{"config": config}]})

    found = warmstart(SVM.card(25), 2, model=Echo())
    share = copied.shares([sources._asked(c) for c in found.requests])
    assert share.values == 3
    assert share.bound == 1.0


# -- points and their record -------------------------------------------------------------------------------------


def test_points_are_those_of_the_product(tmp_path):
    textbook = sources.make(sources.Key(TREE.name, "textbook", 3, "now"))
    assert textbook.configs == warmstart(TREE.card(25), 5, model=None, seed=3).configs
    assert set(textbook.filled_by) == {"textbook"}
    recorded = sources.make(sources.Key("wine/MLP_SGD", "recorded", 0, "now"))
    assert sorted(map(str, recorded.configs)) == sorted(map(str, data.recorded_design(TASKS["wine/MLP_SGD"])))
    assert recorded.filled_by == ["llm"] * 5
    assert len(recorded.asked) == 1
    assert "left out of the model's points" in recorded.notes[0]
    random = sources.make(sources.Key(TREE.name, "random", 101, "1"))
    assert random.configs == data.design(TREE, 101)
    path = tmp_path / "points.jsonl"
    for made in (textbook, recorded, random):
        runs.append(path, made)
    assert sources.read(path) == {r.key: r for r in (textbook, recorded, random)}


def test_what_is_on_record_is_not_missing():
    keys = sources.missing([TREE, SVM], ["textbook", "random"], 2, {})
    assert [(k.source, k.seed) for k in keys[::2]] == [
        ("textbook", 0),
        ("textbook", 1),
        ("random", 100),
        ("random", 101),
    ]
    done = {keys[0]: record(TREE.name, "textbook", [], [])}
    assert sources.missing([TREE, SVM], ["textbook", "random"], 2, done) == keys[1:]


def test_a_warmstart_asks_once_and_again_only_after_an_empty_reply():
    from benchmarks.bayesmark import advisors

    assert sources.cost(SVM, advisors.advisor("recorded", SVM, None, 0))[0] == 1
    assert sources.cost(SVM, advisors.advisor("silent", SVM, None, 0))[0] == 2


# -- the tables --------------------------------------------------------------------------------------------------


@pytest.fixture
def scored(tmp_path):
    """Scores of diabetes/SVM without measuring: the error is C / 1000."""
    evaluations = Evaluations(tmp_path / "e.db")
    insert = "insert or ignore into evaluation values (?, ?, ?, ?)"
    from benchmarks.bayesmark import cache

    def add(config, score):
        evaluations._connection.execute(insert, (SVM.name, cache._key(config), score, 0.0))
        return config

    yield evaluations, add
    evaluations.close()


def line(text, start):
    return next(row for row in text.splitlines() if row.startswith(start))


def test_the_best_of_n_and_the_verdict(scored):
    evaluations, add = scored
    best, worst = data.reference(SVM)

    def points(*regrets):
        return [add({"C": 1 + r}, best + r * (worst - best)) for r in regrets]

    random = [
        record(SVM.name, "random", points(0.9, 0.8, 0.8, 0.8, 0.7 + s / 10), ["random"] * 5, seed=100 + s)
        for s in (0, 1)
    ]
    book = [
        record(SVM.name, "textbook", points(0.5, 0.6, 0.3, 0.4, 0.2 + s / 10), ["textbook"] * 5, seed=s) for s in (0, 1)
    ]
    text = "\n".join(report.points([*random, *book], ["textbook", "random"], 2, [SVM], evaluations))
    assert line(text, "| textbook | 0.500 (0.000)").endswith("| 0.250 (0.050) | 1 | 2 |")
    assert "| textbook | -0.400 [-0.400, -0.400] |" in text
    assert "**The textbook alone beats random points at n = 5**: -0.500 [-0.500, -0.500]." in text
    text = "\n".join(report.points([*random, *book], ["textbook", "random"], 1, [SVM], evaluations))
    assert "| textbook | 0.500 | 0.500 | 0.300 | 0.300 | 0.200 | 1 | 1 |" in text
    worse = [record(SVM.name, "textbook", points(0.95, 0.95, 0.95, 0.95, 0.95), ["textbook"] * 5)]
    text = "\n".join(report.points([*random, *worse], ["textbook", "random"], 1, [SVM], evaluations))
    assert "**The textbook alone does NOT beat random points at n = 5**" in text


def test_points_that_were_filled_up_are_credited(scored):
    evaluations, add = scored
    configs = [add({"C": float(i)}, 0.9 - i / 10) for i in range(1, 6)]
    requests = [asked({"C": 1.0}, prompt="- `C`: from 1.0 to 9"), asked({"C": 1.0}, prompt="- `C`: from 1.0 to 9")]
    made = record(SVM.name, "local", configs, ["llm", "sobol", "llm", "sobol", "sobol"], requests)
    text = "\n".join(report.points([made], ["local"], 1, [SVM], evaluations))
    served, own = line(text, "| local | 0."), line(text, "| local, its own points |")
    assert served.split("|")[6] < own.split("|")[6]  # the fifth point, a filler, is the best
    assert own.split("|")[5] == own.split("|")[6]
    assert "| local | 5 | 2 | 0 | 0 | 3 | 0 | 1 |" in text
    assert "| local | 2 | 0 of 1 | 20 | 10 | 40 | 4 | 1.0 |" in text
    assert "| local | 2 | 100% | 0% | 100% | 100% | - | 1 of 2 |" in text


def test_runs_of_incomplete_seeds_are_not_counted():
    best, worst = data.reference(SVM)

    def run(method, seed, end):
        scores = [worst] * 24 + [best + end * (worst - best)]
        return runs.Run(runs.Key(SVM.name, method, seed, 25, "v1"), [], scores, [])

    made = [run("tpe", 0, 0.5), run("tpe+textbook", 0, 0.25), run("tpe", 1, 0.5)]
    text = "\n".join(report.runs_from({r.key: r for r in made}, "Here", ["tpe", "tpe+textbook"], [0, 1], [SVM], 25))
    assert "over 1 tasks, seeds 0;" in text
    assert "| tpe+textbook | 1.000 | 1.000 | 0.250 | +0.000 | -0.250 | 1, 0, 0 |" in text
    assert "One seed: there is nothing to take an interval from." in text
    made.append(run("tpe+textbook", 1, 0.35))
    text = "\n".join(report.runs_from({r.key: r for r in made}, "Here", ["tpe", "tpe+textbook"], [0, 1], [SVM], 25))
    assert "-0.200 [-0.250, -0.150]" in text
    assert "2 seeds: the intervals are too narrow." in text
    assert report.runs_from({}, "Here", ["tpe"], [0], [SVM], 25)[0] == "Here: no seed is complete for tpe."


# -- the command -------------------------------------------------------------------------------------------------


def test_the_command_measures_once(tmp_path, capsys):
    args = ["--tasks", TREE.name, SVM.name, "--sources", "recorded", "textbook", "random", "--seeds", "2"]
    args += ["--optimizers", "tpe", "--run-seeds", "100", "--trials", "6", "--results", str(tmp_path)]
    assert main(args) == 0
    first = capsys.readouterr()
    assert "10 sets of points to get" in first.err
    assert "0 of 6 runs are on record, 6 to go" in first.err
    assert "The textbook alone" in first.out
    assert "is asked 2 times" in first.out
    assert main(args) == 0
    again = capsys.readouterr()
    assert "0 sets of points to get\n6 of 6 runs are on record, 0 to go" in again.err
    assert again.out == first.out
    assert main([*args, "--only-table"]) == 0
    assert capsys.readouterr().out == first.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--tasks", "mnist"], "'mnist' is no task"),
        (["--run-seeds", "50"], "seed 50 has no initial design"),
        (["--sources", "gpt"], "invalid choice: 'gpt'"),
    ],
)
def test_wrong_arguments_say_what_there_is(args, words, capsys):
    with pytest.raises(SystemExit) as e:
        main([*args, "--optimizers", "tpe"])
    assert e.value.code == 2
    assert words in capsys.readouterr().err


def test_without_the_weights_the_next_step_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_LOCAL_MODEL", str(tmp_path / "none.gguf"))
    with pytest.raises(SystemExit):
        main(["--tasks", SVM.name, "--sources", "local", "--part", "points", "--results", str(tmp_path)])
    assert "or leave the local model out with --sources" in capsys.readouterr().err


@pytest.mark.slow
def test_the_fast_check_measures_and_prints(capsys):
    assert main(["--fast"]) == 0
    out = capsys.readouterr().out
    assert "| textbook |" in out
    assert "| tpe+textbook |" in out
