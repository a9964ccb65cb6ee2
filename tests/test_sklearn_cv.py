"""The cross-validating trainer: its scores against scikit-learn's own, nesting, what it refuses, its card."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tunewright_tools import sklearn_cv
from tunewright_tools.base import Job, Limits
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool
from tunewright_tools.diagnosis import from_text

EXAMPLE = Path(__file__).parent.parent / "examples" / "sklearn"
KNN = "--estimator=sklearn.neighbors.KNeighborsClassifier"


def say(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, float]:
    assert sklearn_cv.main(list(argv)) == 0
    return read(capsys.readouterr().out)


def read(said: str) -> dict[str, float]:
    return {n: float(v) for n, _, v in (line.partition(": ") for line in said.splitlines()) if v}


def test_the_scores_are_scikit_learns_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = say(capsys, KNN, "--data=wine", "n_neighbors=3", "--folds=4", "weights=distance")
    model = KNeighborsClassifier(n_neighbors=3, weights="distance")
    features, targets = load_wine(return_X_y=True)
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    scores = cross_val_score(model, features, targets, cv=folds)
    assert found["accuracy"] == pytest.approx(scores.mean(), abs=1e-6)
    assert found["accuracy_std"] == pytest.approx(scores.std(ddof=1), abs=1e-6)


def test_nested_scores_never_see_what_was_put_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, targets = load_wine(return_X_y=True)
    outer = ["--outer-folds=5", "--outer-fold=2", "--folds=3"]
    inside, outside = list(StratifiedKFold(5, shuffle=True, random_state=0).split(features, targets))[2]
    found = say(capsys, KNN, "--data=wine", *outer)
    model = KNeighborsClassifier()
    inner = StratifiedKFold(3, shuffle=True, random_state=1)
    assert found["accuracy"] == pytest.approx(
        cross_val_score(model, features[inside], targets[inside], cv=inner).mean(), abs=1e-6
    )
    fitted = model.fit(features[inside], targets[inside])
    assert found["outer_accuracy"] == pytest.approx(fitted.score(features[outside], targets[outside]), abs=1e-6)
    # Other features in the part put aside change what is said of it, and nothing else.
    features[outside] = 0.0
    np.savez(tmp_path / "changed.npz", X=features, y=targets)
    changed = say(capsys, KNN, f"--data={tmp_path / 'changed.npz'}", *outer)
    assert changed["accuracy"] == found["accuracy"]
    assert changed["outer_accuracy"] != found["outer_accuracy"]


def test_a_pipeline_and_a_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, targets = load_wine(return_X_y=True)
    names = np.array(["red", "white", "green"])[targets]
    rows = [",".join(map(repr, row.tolist())) + f",{name}" for row, name in zip(features, names, strict=True)]
    (tmp_path / "wine.csv").write_text("\n".join([",".join(f"f{i}" for i in range(13)) + ",kind", *rows]))
    steps = [
        {"name": "scale", "estimator": "sklearn.preprocessing.StandardScaler"},
        {"name": "knn", "estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 3}},
    ]
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    data = [f"--pipeline={tmp_path / 'steps.json'}", f"--data={tmp_path / 'wine.csv'}", "--target=kind"]
    found = say(capsys, *data, "knn__p=1", "scale__with_mean=False")
    model = make_pipeline(StandardScaler(with_mean=False), KNeighborsClassifier(3, p=1))
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    assert found["accuracy"] == pytest.approx(cross_val_score(model, features, names, cv=folds).mean(), abs=1e-6)


def test_regression_with_several_scorers(capsys: pytest.CaptureFixture[str]) -> None:
    scoring = "--scoring=r2,neg_mean_absolute_error"
    found = say(capsys, "--estimator=sklearn.linear_model.Ridge", "--data=diabetes", scoring, "alpha=1e-05")
    assert 0.4 < found["r2"] < 0.6
    assert found["neg_mean_absolute_error"] < -30


def test_scores_of_a_small_target_keep_their_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, targets = load_wine(return_X_y=True)
    found = []
    for unit in (1.0, 1e-6):
        np.savez(tmp_path / "small.npz", X=features, y=targets * unit)
        data = f"--data={tmp_path / 'small.npz'}"
        scored = ["--scoring=neg_mean_squared_error", "--estimator=sklearn.neighbors.KNeighborsRegressor"]
        found.append(say(capsys, data, *scored)["neg_mean_squared_error"])
    assert found[1] == pytest.approx(found[0] * 1e-12, rel=1e-6, abs=0)


def test_as_a_tool_each_fold_is_a_point_and_the_seed_is_the_jobs(tmp_path: Path) -> None:
    fixed: dict[str, bool | int | float | str] = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "data": "iris",
        "folds": 3,
    }
    argv = trainer("sklearn_cv").argv(["n_estimators", "max_depth"], fixed)
    assert argv[3:5] == ["n_estimators={n_estimators}", "max_depth={max_depth}"]
    tool = CommandTool(argv, [("accuracy", "maximize")], ["telemetry.seconds", "telemetry.peak_gb"])
    # max_depth is inactive, so its argument goes.
    outcome = tool.run(Job(0, 0, {"n_estimators": 5}, 7, tmp_path, limits=Limits(60)), lambda _: False)
    assert outcome.status == "done", outcome.detail
    assert [point.step for point in outcome.curve] == [1, 2, 3]
    assert outcome.metrics["accuracy"] == outcome.curve[-1].metrics["accuracy"]
    assert outcome.telemetry is not None
    assert outcome.telemetry.throughput_unit == "samples"
    assert outcome.metrics["telemetry.seconds"] == outcome.telemetry.seconds
    assert 0 < outcome.metrics["telemetry.peak_gb"] < 1


def test_missing_cells_that_the_estimator_does_not_take_are_no_divergence(tmp_path: Path) -> None:
    rows = [f"{i},{i % 7 if i % 3 else ''},{i % 2}" for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows]))
    fixed = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "data": str(tmp_path / "t.csv"), "folds": 3}
    tool = CommandTool(trainer("sklearn_cv").argv(["n_neighbors"], fixed), [("accuracy", "maximize")])
    outcome = tool.run(Job(0, 0, {"n_neighbors": 5}, 7, tmp_path, limits=Limits(60)), lambda _: False)
    assert (outcome.status, outcome.fault) == ("crashed", "config")  # another estimator may take them
    assert "the data has missing cells, and KNeighborsClassifier takes none" in outcome.detail
    trees = fixed | {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
    tool = CommandTool(trainer("sklearn_cv").argv(["max_iter"], trees), [("accuracy", "maximize")])
    assert tool.run(Job(0, 0, {"max_iter": 3}, 7, tmp_path, limits=Limits(60)), lambda _: False).status == "done"


@pytest.mark.parametrize(("cell", "said"), [("", "has missing cells"), ("inf", "has cells of inf")])
def test_one_cell_that_the_estimator_does_not_take_is_no_divergence(
    cell: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The row is in the fold that is scored first, so fitting alone would not meet it.
    rows = [f"{i % 7},{cell if i == 6 else i % 5},{i % 2}" for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows]))
    with pytest.raises(SystemExit, match="1"):
        sklearn_cv.main([KNN, f"--data={tmp_path / 't.csv'}"])
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert from_text(line) is None


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([KNN, "n_neighbors=0"], "The 'n_neighbors' parameter of KNeighborsClassifier must be an int in the range"),
        ([KNN, "p=-1"], "Got -1 instead."),
        (["--estimator=sklearn.svm.SVC", "C=strong"], "must be a float in the range (0.0, inf]. Got 'strong' instead."),
    ],
)
def test_a_value_that_the_estimator_does_not_take_is_said_in_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        sklearn_cv.main([*argv, "--data=iris"])
    line, *more = capsys.readouterr().err.splitlines()
    assert (ended.value.code, more) == (1, [])  # with 2, the command itself would be at fault
    assert line.startswith("sklearn_cv: error: The '")
    assert said in line


def test_finished_folds_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = f"--checkpoint={tmp_path / 'folds.json'}"
    whole = say(capsys, KNN, "--data=wine", kept)
    state = json.loads((tmp_path / "folds.json").read_text())
    (tmp_path / "folds.json").write_text(json.dumps(state | {"scores": state["scores"][:2]}))
    sklearn_cv.main([KNN, "--data=wine", kept])
    said = capsys.readouterr().out
    assert said.count("samples_per_second") == 3
    assert said.count("step=") == 5
    assert {n: v for n, v in read(said).items() if "accuracy" in n} == {n: v for n, v in whole.items() if "acc" in n}
    with pytest.raises(SystemExit, match="2"):
        sklearn_cv.main([KNN, "--data=wine", kept, "p=1"])
    assert "is of other options or data" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", '{"identity": "1234", "sco', "[1]", "\0\0"])
def test_a_damaged_checkpoint_is_said_to_be_one(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(SystemExit, match="2"):
        sklearn_cv.main([KNN, "--data=wine", f"--checkpoint={tmp_path / 'folds.json'}"])
    assert "folds.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--estimator=os.system"], "'os.system' is not of the package sklearn"),
        (["--estimator=sklearn.svm.SVX"], "'sklearn.svm.SVX' cannot be loaded"),
        (["--estimator=sklearn.svm.os"], "'sklearn.svm.os' cannot be loaded"),
        (["--estimator=sklearn.datasets.load_iris"], "is no scikit-learn estimator's class"),
        (["--estimator=json.loads", "--package=json"], "is no scikit-learn estimator's class"),
        ([], "give one of --estimator and --pipeline"),
        ([KNN, "neighbours=3"], "Invalid parameter 'neighbours'"),
        ([KNN, "3"], "'3' is not name=value"),
        ([KNN, "p=1", "p=2"], "names a parameter twice"),
        ([KNN, "--scoring=accuracy,r3"], "'r3' is not a valid scoring value"),
        ([KNN, "--data=none.csv"], "--data none.csv cannot be read"),
        ([KNN, "--data=mnist"], "is none of digits, iris"),
        ([KNN, "--folds=1"], "--folds must be at least 2"),
        ([KNN, "--data=iris", "--folds=51"], "the data cannot be cut into 51 folds: n_splits=51 cannot be greater"),
        ([KNN, "--data=iris", "--outer-folds=51", "--outer-fold=0"], "the data cannot be cut into 51 folds"),
        ([KNN, "--data=diabetes", "--folds=400"], "the data cannot be cut into 400 folds"),
        ([KNN, "--seed=-1"], "--seed and --data-seed must be at least 0"),
        ([KNN, f"--data-seed={2**32 - 1}"], "--seed and --data-seed must be at least 0"),
        ([KNN, "--outer-folds=3", "--outer-fold=3"], "at least 0 and below it"),
        ([KNN, "--outer-fold=3"], "go together"),
    ],
)
def test_what_it_refuses(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        sklearn_cv.main(argv)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,b,y\n1,2,0\n1,0\n", "line 3 does not have 3 cells"),
        ("a,y\nred,0\nblue,1\n", "column 'a' is not of numbers"),
        ("a,b\n1,0\n", "it has no column 'y', only a, b"),
        ("a,a,y\n1,2,0\n3,4,1\n", "columns a, a, y; it needs rows, each column once"),
        ("a,y\n1,0.5\n2,\n3,1.5\n", "the target 'y' of line 3 is ''; take the row out"),
        ("a,y\n1,red\n2, \n3,blue\n", "the target 'y' of line 3 is ' '; take the row out"),
        ("a,y\n1,0.5\n2,0.7\n3,nan\n", "the target 'y' of line 4 is 'nan'"),
        ("a,y\n", "it has 0 rows"),
        ("y\n1\n0\n", "and one beside the target 'y'"),
    ],
)
def test_tables_that_cannot_be_used(table: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(table)
    with pytest.raises(sklearn_cv.InputError, match=said):
        sklearn_cv.read_data(str(path), "y")


def test_a_table_of_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("y,a\n1,2\n0,3\n", encoding="utf-8-sig")
    features, targets = sklearn_cv.read_data(str(tmp_path / "t.csv"), "y")
    assert (features.tolist(), targets.tolist()) == ([[2.0], [3.0]], [1.0, 0.0])


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(sklearn_cv.InputError, match="allow_pickle=False"):
        sklearn_cv.read_data(str(tmp_path / "t.npz"), None)


def test_an_archive_in_which_rows_lack_their_target(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.zeros((20, 2)), y=np.zeros(19))
    with pytest.raises(sklearn_cv.InputError, match=r"X is \(20, 2\) and y \(19,\)"):
        sklearn_cv.read_data(str(tmp_path / "t.npz"), None)


def test_an_archive_with_targets_that_are_no_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.zeros((3, 2)), y=np.array([1.0, np.nan, np.inf]))
    with pytest.raises(sklearn_cv.InputError, match="NaN or infinity in 2 places"):
        sklearn_cv.read_data(str(tmp_path / "t.npz"), None)


def test_a_file_that_is_cut_off_is_said_to_be_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", X=np.zeros((30, 3)), y=np.zeros(30))
    whole = (tmp_path / "whole.npz").read_bytes()
    for name, content in (("half.npz", whole[: len(whole) // 2]), ("empty.npz", b""), ("plain.npz", b"\x93NUMPY")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(sklearn_cv.InputError, match=f"{name} cannot be read"):
            sklearn_cv.read_data(str(tmp_path / name), None)
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.zeros((30, 3)))
    (tmp_path / "long.csv").write_text(f"a,y\n{'1' * 200_000},0\n")
    for name in ("array.npz", "long.csv"):
        with pytest.raises(sklearn_cv.InputError, match=f"{name} cannot be read"):
            sklearn_cv.read_data(str(tmp_path / name), None)


def test_an_empty_file_and_a_target_of_one_class_are_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(sklearn_cv.InputError, match="its first line, the header, is empty"):
        sklearn_cv.read_data(str(tmp_path / "t.csv"), None)
    (tmp_path / "t.csv").write_text("a,y\n" + "1,b\n" * 30)
    options = sklearn_cv.parser().parse_args(["--estimator=sklearn.svm.SVC", f"--data={tmp_path / 't.csv'}"])
    with pytest.raises(sklearn_cv.InputError, match=r"the target of .* is b in all rows; a classifier has nothing to"):
        sklearn_cv.run(options)


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", True), ("None", None), ("1e-05", 1e-5), ("3", 3), ("[64, 32]", [64, 32]), ("rbf", "rbf"), ("1,2", "1,2")],
)
def test_values(text: str, value: Any) -> None:
    assert sklearn_cv.value_of(text) == value


def test_the_example_card_runs() -> None:
    card = yaml.safe_load((EXAMPLE / "tune.yaml").read_text())
    config = {parameter["name"]: parameter["default"] for parameter in card["space"]} | {"python": sys.executable}
    words = [word.format(**config) for word in card["tool"]["command"] if "degree" not in word]
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*words, "--folds=2"], cwd=EXAMPLE, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read(done.stdout)["accuracy"] > 0.9
