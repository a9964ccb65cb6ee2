"""The tabular trainer: it learns classes and numbers, resumes exactly, and reads columns as it says."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training import contract, goes_on_to_the_same_numbers, nothing_stays

from tunewright_tools import torch_tabular
from tunewright_tools.base import Job, Limits
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool
from tunewright_tools.torch_errors import TrainingError
from tunewright_tools.torch_tabular_data import Table, read
from tunewright_tools.torch_tabular_model import Periodic, Tabular

TABULAR = trainer("torch_tabular")


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays():
        yield


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """300 rows; the price follows the size and, more, the town; some sizes are missing, zip is a code."""
    random = np.random.default_rng(0)
    lines = ["size,town,zip,price"]
    for _ in range(300):
        size, town = random.uniform(20, 120), random.choice(["Ulm", "Köln", "Bonn"])
        price = size + {"Ulm": 0, "Köln": 100, "Bonn": 300}[str(town)] + random.normal(0, 3)
        lines.append(f"{'' if random.random() < 0.1 else f'{size:.2f}'},{town},{random.integers(3)},{price:.2f}")
    (tmp_path / "prices.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "prices.csv"


def run(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    capsys.readouterr()
    assert torch_tabular.main(["--device=cpu", *argv]) == 0
    return capsys.readouterr().out


def last(said: str, name: str) -> float:
    return float(said.split(f"\n{name}: ")[1].split()[0])


def table(*argv: str) -> Table:
    return read(torch_tabular.arguments(["--epochs=1", *argv]))


@pytest.mark.parametrize("embedding", ["none", "periodic"])
def test_it_learns_a_number(embedding: str, prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [f"--data={prices}", f"--number-embedding={embedding}", "--epochs=40", "--learning-rate=0.01"]
    said = run(capsys, argv)
    assert ", a number, 240 rows to train on, 60 to measure on, 1 columns of categories" in said
    assert last(said, "val_r2") > 0.95
    assert last(said, "val_rmse") == pytest.approx(
        math.sqrt(last(said, "val_loss")) * table(argv[0]).target_std, rel=0.01
    )


def test_an_error_in_a_small_unit_keeps_its_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for unit in (1.0, 1e-6):
        rows = [f"{x},{(3 * x + x % 7) * unit!r}" for x in range(100)]
        (tmp_path / "small.csv").write_text("\n".join(["x,y", *rows]))
        argv = [f"--data={tmp_path / 'small.csv'}", "--task=regression", "--epochs=3", "--evaluations=1"]
        found.append(last(run(capsys, argv), "val_rmse"))
    assert found[1] == pytest.approx(found[0] * 1e-6, rel=1e-4, abs=0)


def test_it_learns_classes_and_the_contract_reads_its_curve(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--data=wine", "--epochs=20", "--learning-rate=0.01", "--norm=batch", "--batch-size=32", "--evaluations=4"]
    read = contract(run(capsys, argv), TABULAR.metrics[:2]).values
    assert len(read.curve()) == 4
    assert read.final()["val_accuracy"] > 0.9
    assert read.final() == read.curve()[-1].metrics


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_numbers(
    tmp_path: Path, prices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [f"--data={prices}", "--number-embedding=periodic", "--dropout=0.2", "--norm=batch", "--ema=0.9"]
    argv += ["--epochs=60", "--evaluations=120", "--batch-size=16"]
    goes_on_to_the_same_numbers(
        "tunewright_tools.torch_tabular", lambda given: run(capsys, given), argv, tmp_path / "checkpoint.pt"
    )


def test_columns_are_read_for_what_they_are(prices: Path) -> None:
    plain, named = table(f"--data={prices}"), table(f"--data={prices}", "--categorical=zip")
    # The size, whether it was missing, and the zip; the town's three names and the unknown one.
    assert plain.train.numbers.shape == (240, 3)
    assert (plain.sizes, named.sizes) == ((4,), (4, 4))
    assert named.train.numbers.shape == (240, 2)
    size, missing = plain.train.numbers[:, 0], plain.train.numbers[:, 1]
    assert set(np.unique(missing)) == {0.0, 1.0}
    assert np.all(size[missing == 1] == 0)
    assert (float(size[missing == 0].mean()), float(size[missing == 0].std())) == pytest.approx((0, 1), abs=1e-5)
    assert (float(plain.train.targets.mean()), float(plain.train.targets.std())) == pytest.approx((0, 1), abs=1e-5)
    assert plain.digest == table(f"--data={prices}").digest != named.digest


def test_a_category_that_training_has_not_seen_is_zero(tmp_path: Path) -> None:
    rows = ["kind,y", *(f"{'a' if number % 2 else 'b'},{number % 2}" for number in range(40))]
    rows[7] = "rare,0"
    (tmp_path / "t.csv").write_text("\n".join(rows))
    seen = {}
    for seed in range(12):
        made = table(f"--data={tmp_path / 't.csv'}", "--target=y", f"--data-seed={seed}")
        seen[bool((made.validation.codes == 0).any())] = made.sizes
        assert not (made.train.codes == 0).any()
    assert seen == {True: (3,), False: (4,)}
    given = torch_tabular.arguments(["--epochs=1"])
    network = Tabular(0, (3,), 2, given)
    assert torch.equal(network.embeddings[0](torch.tensor([0])), torch.zeros(1, 8))


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (["1", "2", "1", "2"], "auto", ("1", "2")),
        (["yes", "no", "yes", "no"], "auto", ("no", "yes")),
        (["1.5", "2", "1.5", "2"], "auto", None),
        (["1", "2", "1", "2"], "regression", None),
        (["1.5", "2", "1.5", "2"], "classification", ("1.5", "2")),
    ],
)
def test_what_a_target_is(target: list[str], task: str, classes: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{place},{cell}\n" for place, cell in enumerate(target * 5)))
    assert table(f"--data={path}", f"--task={task}", "--validation-share=0.5").classes == classes


def test_quantiles_make_a_skewed_column_normal(tmp_path: Path) -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 2, 500))
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{value},{place % 2}\n" for place, value in enumerate(values)))
    skew = {}
    for transform in ("standard", "quantile"):
        x = table(f"--data={path}", f"--transform={transform}").train.numbers[:, 0].astype(float)
        skew[transform] = abs(float(((x - x.mean()) ** 3).mean() / x.std() ** 3))
    assert skew["quantile"] < 0.3 < 2 < skew["standard"]


def test_a_periodic_embedding_is_that_of_each_column_alone() -> None:
    torch.manual_seed(0)
    embed = Periodic(3, 4, 1.0, 5)
    numbers = torch.rand(2, 3)
    other = numbers.clone()
    other[:, 1] += 0.5
    changed = (embed(numbers) != embed(other)).view(2, 3, 5).any(2).any(0)
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "argv", "said"),
    [
        ("x,y\n1,2\n3\n", [], "row 3 of t.csv does not have 2 cells"),
        ("", [], "t.csv is no CSV that can be read (its first line, the header, is empty)"),
        ("\n", [], "t.csv is no CSV that can be read (its first line, the header, is empty)"),
        (
            "x,z,y\n" + "1,1,0\n1,1e308,1\n1,-1e308,1\n2,3,0\n" * 9,
            [],
            "the column 'z' of t.csv has numbers up to 1e+308, too large to be scaled",
        ),
        ("x,y\n1,2\n", ["--target=z"], "needs rows, each column once, the target 'z'"),
        ("x,y\n1,\n2,3\n", [], "the target of line 2 of t.csv is empty"),
        ("x,y\n1,0.5\n2,NaN\n3,1.5\n", [], "the target of line 3 of t.csv is 'NaN', no number as the others are"),
        ("x,y\n1,0\n2,1\n3,nan\n", [], "the target of line 4 of t.csv is 'nan'"),
        ("x,y\n1,a\n2,a\n", [], "is 'a' in all rows"),
        ("x,y\n" + "1,0.1\n" * 100, [], "the target of t.csv is the same in all rows of a part"),
        # The largest lies among those that are trained on.
        ("x,y\n1,1e12\n" + "1,0.5\n2,1.5\n" * 20, [], "or seems so beside far larger ones"),
        ("x,y\n1,a\n2,b\n", ["--task=regression"], "is not of numbers; take --task classification"),
        ("x,y\n1,a\n2,b\n", ["--categorical=q"], "--categorical names 'q', which is no column; columns: x"),
        ("x,y\n1,a\n2,b\n", [], "cannot be split with --validation-share 0.2"),
    ],
)
def test_a_table_that_cannot_be_used(
    text: str, argv: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(text)
    with pytest.raises(TrainingError) as caught:
        table("--data=t.csv", *argv)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--data=none.csv"], "--data none.csv is no CSV that can be read"),
        (["--frequencies=4"], "--frequencies is for --number-embedding periodic"),
        (["--validation-share=1"], "--validation-share must be above 0 and below 1, not 1.0"),
        (["--embedding-size=0"], "--embedding-size must be at least 1 and finite, not 0"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        torch_tabular.main(["--epochs=1", *argv])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--batch-size=1"], "--batch-size 1 leaves batch normalization with a single example"),
        (["--batch-size=17", "--device-batch=8"], "--batch-size 17 in parts of --device-batch 8 leaves"),
    ],
)
def test_one_example_alone_has_no_batch_norm(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        torch_tabular.main(["--data=iris", "--epochs=1", "--norm=batch", *argv])
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_study_goes_on_past_configurations_that_do_not_fit_the_data_and_past_a_full_disk(tmp_path: Path) -> None:
    from tunewright.card import TaskCard
    from tunewright.loop import Tuner

    # No file may pass 4 MiB: the checkpoint of the widest network does.
    limited = ["sh", "-c", 'ulimit -f 8192; exec "$0" "$@" --checkpoint "$TUNEWRIGHT_TRIAL_DIR/c"']
    words = TABULAR.argv(["batch_size", "width"], {"data": "wine", "epochs": 2, "device": "cpu"})
    card = {
        "name": "wine",
        "goal": "classes of wine",
        "metrics": [{"name": "val_loss", "direction": "minimize"}],
        "tool": {"command": [*(word.replace("{", "{{").replace("}", "}}") for word in limited), *words]},
        "space": [
            {"name": "batch_size", "type": "int", "low": 16, "high": 4096, "default": 16, "log": True},
            {"name": "width", "type": "int", "low": 8, "high": 2048, "default": 8, "log": True},
        ],
    }
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(card))
    made = TaskCard.load(tmp_path / "tune.yaml")
    points = [{"batch_size": 2048, "width": 8}, {"batch_size": 16, "width": 2048}, {"batch_size": 32, "width": 16}]
    with Tuner(made, None, f"sqlite:///{tmp_path / 's.db'}", 0, folder=tmp_path) as tuner:
        tuner.enqueue(points)
        for _ in tuner.events(trials=4):
            pass
        ended = [trial.outcome for trial in tuner.study.trials() if trial.outcome is not None]
    assert [(outcome.status, outcome.fault) for outcome in ended] == [
        ("done", None),
        ("crashed", "config"),
        ("crashed", "host"),
        ("done", None),
    ]
    assert "--batch-size 2048 is above the 142 training examples" in ended[1].detail.splitlines()[0]
    assert "File too large" in ended[2].detail.splitlines()[0]


@pytest.mark.gpu
def test_on_a_gpu(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    tool = CommandTool(TABULAR.argv([], {"device": "cuda", "epochs": 5}), TABULAR.metrics[:2])
    outcome = tool.run(Job(0, 0, {}, 3, tmp_path, limits=Limits(110)), lambda _: False)
    assert outcome.status == "done", outcome.detail
