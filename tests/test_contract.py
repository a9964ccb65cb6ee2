import itertools
import json
import math
import random

import pytest

from tunewright_tools import contract
from tunewright_tools.base import ToolSetupError
from tunewright_tools.contract import Reader, declared


def read(text: str, best_of_curve: bool = False, extra: tuple[str, ...] = ()) -> Reader:
    reader = Reader({"val_loss": "minimize", "acc": "maximize"}, extra, best_of_curve)
    reader.feed(text, 1.0)
    reader.close(2.0)
    return reader


@pytest.mark.parametrize(
    "text",
    [
        "val_loss: 0.5\n",
        "val_loss=0.5\n",
        "  val_loss = 5e-1  \n",
        '{"val_loss": 0.5}\n',
        "{'train_loss': nan, 'val_loss': 0.5, 'note': \"a 'b'\", 'at': (1, 2)}\n",
        "{'val_loss': '0.5'}\n",
        "val_loss:0.5",
        "lr=0.1, val_loss=.5; note='a b' | x=y\n",
        "val_loss: 0.5\r\n",
        "\rval_loss: 0.7\rval_loss: 0.5\r",
        "val_loss: '0.5'\n",
    ],
)
def test_the_forms_that_count(text: str) -> None:
    assert read(text).values.final() == {"val_loss": 0.5}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("best val_loss: 0.3 so far\n", "not a line of"),
        ("INFO val_loss=0.3\n", "not a line of"),
        ("{'val_loss': 0.3} so far\n", "not a line of"),
        ("{'val_loss': 0.3, **more}\n", "not a line of"),
        ("{'val_loss': tensor(0.3)}\n", "not a number"),
        ("{'val_loss': None}\n", "not a number"),
        ('{"val_loss": "n/a"}\n', "not a number"),
        ('{"val_loss": true}\n', "not a number"),
        ('{"val_loss": null}\n', "not a number"),
        ("val_loss: tensor(0.5)\n", "not a number"),
        ("val_loss: 1_000\n", "not a number"),
    ],
)
def test_near_misses_do_not_count_and_are_named(text: str, reason: str) -> None:
    reader = read(text)
    assert reader.values.final() == {}
    assert reader.values.missing() == ("val_loss", "acc")
    assert len(reader.notes) == 1
    assert reason in reader.notes[0]
    assert text.strip() in reader.notes[0]


@pytest.mark.parametrize(
    "text", ["my_val_loss: 3\n", "val_loss_ema=3\n", "VAL_LOSS: 3\n", "http://val_loss/x\n", "[1]\n", ""]
)
def test_other_names_do_not_count(text: str) -> None:
    reader = read(text)
    assert reader.values.final() == {}
    assert reader.notes == []


def test_names_with_spaces_slashes_and_dashes() -> None:
    reader = Reader({"test/top-1 acc": "maximize"})
    reader.feed("epoch=1, test/top-1 acc=0.5, test/top-1=9\ntest/top-1 acc: 0.75\n", 0)
    assert reader.values.final() == {"test/top-1 acc": 0.75}
    assert [point.metrics for point in reader.values.curve()] == [{"test/top-1 acc": 0.5}]


def test_a_name_that_begins_with_another_one_is_read_whole() -> None:
    reader = Reader({"eval": "minimize", "eval:acc": "maximize"})
    reader.feed("eval:acc=0.5, eval=2\n", 0)
    assert reader.values.final() == {"eval": 2, "eval:acc": 0.5}


def test_a_value_without_a_step_is_on_no_point_of_the_curve() -> None:
    assert [point.metrics for point in read("acc=9\nstep=1 val_loss=2\n").values.curve()] == [{"val_loss": 2}]


def test_at_most_five_near_misses_are_named() -> None:
    assert len(read("val_loss: soon\n" * 9).notes) == 5


def test_the_last_value_wins_or_each_metric_has_its_own_best_of_the_curve() -> None:
    text = (
        "epoch=1 val_loss=0.4 acc=-2 size=9\nepoch=2 val_loss=0.3 acc=-3 size=8\nepoch=3 val_loss=0.6 acc=-4 size=7\n"
    )
    assert read(text, extra=("size",)).values.final() == {"val_loss": 0.6, "acc": -4, "size": 7}
    assert read(text, True, ("size",)).values.final() == {"val_loss": 0.3, "acc": -2, "size": 7}
    # A summary without step or epoch is no point of the curve, and a metric without a curve keeps its last value.
    assert read("epoch=1 val_loss=0.4\nval_loss: 0.1\nacc: 3\nacc: 2", True).values.final() == {
        "val_loss": 0.4,
        "acc": 2,
    }


def test_points() -> None:
    reader = Reader({"val_loss": "minimize", "acc": "maximize"})
    points = reader.feed('step=10 epoch=1 val_loss=0.5 other=3\n{"epoch": 2, "acc": 0.5, "val_loss": NaN}\n', 1.5)
    points += reader.feed("epoch: 3\nval_loss: 7\nstep=4 other=1\nstep=nan acc=1\nstep=x acc=2\n", 2.5)
    assert [(point.step, point.metrics, point.seconds) for point in reader.values.curve()] == [
        (10, {"val_loss": 0.5}, 1.5),
        (2, {"acc": 0.5}, 1.5),
    ]
    assert [point.step for point in points] == [10, 2]
    assert math.isnan(points[1].metrics["val_loss"])
    assert reader.values.final() == {"val_loss": 7, "acc": 2}


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-Infinity", "-inf"])
def test_a_last_value_that_is_not_finite(word: str) -> None:
    assert set(read(f"acc: 1\nval_loss: {word}\n").values.not_finite()) == {"val_loss"}
    assert set(read(f"epoch=1 val_loss=0.5\nval_loss: {word}\n", True).values.not_finite()) == {"val_loss"}
    assert read(f"val_loss: {word}\nval_loss: 2\n").values.not_finite() == {}
    for sign in ("", "-"):
        assert read(f'{{"acc": {sign}1' + "0" * 400 + "}").values.final()["acc"] == float(f"{sign}inf")


def test_a_python_dict_has_points_and_numbers_that_are_none() -> None:
    reader = read("{'val_loss': 0.5, 'epoch': 1.0}\n{'val_loss': -inf, 'epoch': 2.0}\n")
    assert [(point.step, point.metrics) for point in reader.values.curve()] == [(1.0, {"val_loss": 0.5})]
    assert reader.values.not_finite() == {"val_loss": -float("inf")}


@pytest.mark.parametrize(
    "deep", ["{'val_loss': " * 3000, "{'val_loss': " + "(" * 3000, "{'val_loss': " + "-" * 100_000 + "1}"]
)
def test_a_dict_without_an_end_is_no_line(deep: str) -> None:
    assert read(deep + "\nval_loss: 0.5\n").values.final() == {"val_loss": 0.5}


def test_status() -> None:
    assert read("status: oom\n").status == "oom"
    assert read('{"status": "diverged"}').status == "diverged"
    assert read("status: oom\nstatus: running\n").status is None
    assert read("status: crashed\n").status is None
    assert read("the status: oom\n").status is None


def test_any_cut_of_the_text_reads_the_same() -> None:
    text = "hello\nstep=1 val_loss=0.5\r\n" + json.dumps({"step": 2, "val_loss": 0.25}) + "\nval_loss: 0.125"
    dice = random.Random(0)
    for _ in range(100):
        reader = Reader({"val_loss": "minimize"})
        at = 0
        while at < len(text):
            size = dice.randint(1, 9)
            reader.feed(text[at : at + size], 0.0)
            at += size
        reader.close(0.0)
        assert reader.values.final() == {"val_loss": 0.125}
        assert [point.step for point in reader.values.curve()] == [1, 2]


@pytest.mark.parametrize("more", ["", " " * contract.MAX_LINE])
def test_what_is_noted_of_a_line_holds_no_half_of_a_key(more: str) -> None:
    reader = Reader({"val_loss": "minimize"})
    begin = "val_loss: none, ".ljust(185, ".") + " sk-proj-0123456789abcdefghij"
    for chunk in (begin, more, " sk-proj-1" + more, "23\n"):
        reader.feed(chunk, 0.0)
    assert len(reader.notes) == 1
    assert not any(part in reader.notes[0] for part in ("sk-", "123", "23"))


def test_an_endless_line_takes_no_memory_and_the_next_one_counts() -> None:
    reader = Reader({"val_loss": "minimize"})
    for _ in range(5):
        reader.feed("val_loss: 1 " + "x" * (contract.MAX_LINE // 2), 0.0)
        assert len(reader._rest) <= contract.MAX_LINE
    reader.feed("\nval_loss: 0.5\n", 0.0)
    assert reader.values.final() == {"val_loss": 0.5}
    assert "longer than can be read" in reader.notes[0]
    at_once = read("val_loss: 1" + " " * contract.MAX_LINE + "\nacc: 0.5\n")
    assert at_once.values.final() == {"acc": 0.5}
    assert "longer than can be read" in at_once.notes[0]


def test_a_long_curve_is_thinned_evenly_but_its_best_is_exact() -> None:
    reader = Reader({"val_loss": "minimize"}, best_of_curve=True)
    count = 10 * contract.MAX_POINTS + 7
    seen = 0
    for step in range(count):
        seen += len(reader.feed(f"step={step} val_loss={abs(step - 7777) + 1}\n", 0.0))
    curve = [point.step for point in reader.values.curve()]
    assert seen == count
    assert contract.MAX_POINTS / 2 <= len(curve) <= contract.MAX_POINTS + 1
    assert (curve[0], curve[-1]) == (0, count - 1)
    assert len({after - before for before, after in itertools.pairwise(curve[:-1])}) == 1
    assert reader.values.final() == {"val_loss": 1}


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ([], "no metric"),
        ([("a", "minimise")], "minimise"),
        ([("step", "minimize")], "step"),
        ([("a", "minimize"), ("a", "maximize")], "declared twice"),
        ([(" ", "minimize")], "empty"),
    ],
)
def test_declarations_that_cannot_be_read(metrics: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ToolSetupError, match=said):
        declared(metrics)


def test_what_a_run_says_of_itself_is_no_metric():
    reader = Reader(declared([("val_loss", "minimize")]))
    reader.feed("step=1 val_loss=0.5 tokens_per_second=100\n", 1.0)
    reader.feed(
        'tokens_per_second: 120\npeak_gpu_bytes: 7e9\n{"samples_per_second": NaN}\ntokens_per_second: soon\n', 2.0
    )
    assert reader.reported == {"tokens_per_second": 120.0, "peak_gpu_bytes": 7e9}
    assert reader.values.final() == {"val_loss": 0.5}


def test_without_any_printed_metric_other_lines_are_no_near_misses():
    reader = Reader({})
    reader.feed("this = that, and status: fine\n", 1.0)
    assert reader.notes == []
    assert reader.values.missing() == ()


def test_names_beside_a_metric_join_its_next_point_and_need_not_appear() -> None:
    reader = Reader({"val_loss": "minimize"}, beside=["train_loss", "grad_norm", "val_loss"])
    reader.feed("step=1 train_loss=3\nstep=2 train_loss=2 grad_norm=nan\nstep=2 val_loss=2.5\n", 1.0)
    reader.feed('step=3 val_loss=2.4 grad_norm=0.5\ntrain_loss: soon\n{"step": 4, "val_loss": 2.3}\n', 2.0)
    assert [(point.step, point.metrics) for point in reader.values.curve()] == [
        (2, {"val_loss": 2.5, "train_loss": 2}),
        (3, {"val_loss": 2.4, "grad_norm": 0.5}),
        (4, {"val_loss": 2.3}),
    ]
    assert reader.values.final() == {"val_loss": 2.3}
    assert reader.values.missing() == ()
    assert reader.notes == []


def test_a_point_of_nan_alone_is_handed_on_and_not_kept() -> None:
    reader = Reader({"val_loss": "minimize"})
    (point,) = reader.feed("step=1 val_loss=nan\n", 1.0)
    assert math.isnan(point.metrics["val_loss"])
    assert reader.values.curve() == ()
