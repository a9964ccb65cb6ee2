import math

import pytest

from tunewright.card import Metric
from tunewright.signs import FEWEST, Signs, companions, signs
from tunewright_tools.base import Point

LOSS = Metric(name="val_loss", direction="minimize")
ACCURACY = Metric(name="val_acc", direction="maximize")


def curve(values: list[float], name: str = "val_loss", **more: list[float]) -> list[Point]:
    return [
        Point(10.0 * (i + 1), {name: value, **{key: column[i] for key, column in more.items()}}, float(i))
        for i, value in enumerate(values)
    ]


def test_a_loss_that_falls_to_its_end_is_still_improving() -> None:
    assert signs(curve([1.0 - 0.1 * i for i in range(10)]), LOSS) == Signs(improving=True)
    assert signs(curve([0.1 * i for i in range(10)], "val_acc"), ACCURACY) == Signs(improving=True)
    assert not signs(curve([-1.0, -2.0, -2.5, -2.6, -2.6, -2.6]), LOSS).improving


def test_a_standstill_has_the_step_from_which_nothing_was_gained() -> None:
    found = signs(curve([3.0, 2.0, 1.0, 1.001, 1.0, 1.002, 0.999, 1.0]), LOSS)
    assert found == Signs(flat_since=30.0)
    assert signs(curve([2.0] * 8), LOSS) == Signs(flat_since=10.0)
    short = [Point(1000.0 + i, p.metrics, p.seconds) for i, p in enumerate(curve([4.0, 3.0, 2.0, 1.0, 1.0, 1.0]))]
    assert signs(short, LOSS) == Signs(flat_since=1003.0)  # a run that began at step 1000 is five steps long
    assert signs([Point(7.0, p.metrics, p.seconds) for p in short], LOSS) == Signs()  # at one step nothing lasts


def test_a_run_that_ends_worse_than_it_was_names_its_best() -> None:
    found = signs(curve([3.0, 2.0, 1.0, 1.2, 1.5, 1.8]), LOSS)
    assert (found.best_step, found.best_value, found.improving, found.flat_since) == (30.0, 1.0, False, None)
    assert signs(curve([0.1, 0.9, 0.5, 0.4, 0.3], "val_acc"), ACCURACY).best_value == 0.9
    late = signs(curve([3.0 - 0.1 * i for i in range(19)] + [0.9, 1.8]), LOSS)  # its best is in its last tenth
    assert (late.best_value, late.improving) == (0.9, False)


def test_spikes_are_counted_and_noise_is_not() -> None:
    smooth = [3 / (1 + i) for i in range(20)]
    spiked = [v + (2.0 if i in (8, 14) else 0.0) for i, v in enumerate(smooth)]
    assert signs(curve(spiked), LOSS).spikes == 2
    noisy = [v + 0.02 * math.sin(9 * i) for i, v in enumerate(smooth)]
    assert signs(curve(noisy), LOSS).spikes == 0
    assert signs(curve([5.0, 4.0, 3.0, 2.0, 1.0, 1.9]), LOSS).spikes == 0  # much, and no more than usual
    assert signs(curve([5.0, 1.0, 1.0, 1.0, 1.0, 1.01, 1.0]), LOSS).spikes == 0  # unusual, and not much


def test_an_overfitting_gap_needs_both_curves_and_says_whether_it_widens() -> None:
    held_out = [3.0, 2.0, 1.5, 1.3, 1.2, 1.15, 1.1, 1.1]
    training = [3.0, 1.9, 1.3, 1.0, 0.7, 0.4, 0.2, 0.1]
    gap = signs(curve(held_out, train_loss=training), LOSS).gap
    assert gap is not None
    assert (gap.held_out, gap.training, gap.size, gap.widening) == ("val_loss", "train_loss", pytest.approx(1.0), True)
    assert signs(curve(held_out), LOSS).gap is None
    assert signs(curve(held_out, train_loss=held_out), LOSS).gap is None
    steady = signs(curve(held_out, train_loss=[v - 0.5 for v in held_out]), LOSS).gap
    assert steady is not None
    assert not steady.widening
    first = signs(curve([10 * v for v in held_out], train_loss=[10 * v for v in training]), LOSS).gap
    assert first is not None
    assert first.widening  # what is much hangs on how far the loss fell, not on its unit
    slow = [10 * v - 5 - 0.05 * i for i, v in enumerate(held_out)]
    slowly = signs(curve([10 * v for v in held_out], train_loss=slow), LOSS).gap
    assert slowly is not None
    assert not slowly.widening
    close = [v - 0.15 for v in held_out]  # less than a tenth of what the loss fell by
    assert signs(curve(held_out, train_loss=close), LOSS).gap is None
    assert signs(curve([10 * v for v in held_out], train_loss=[10 * v for v in close]), LOSS).gap is None
    assert signs(curve(held_out, grad_norm=[0.1] * 8), LOSS).gap is None
    better = signs(curve([0.1, 0.5, 0.6, 0.65, 0.7], "val_acc", train_acc=[0.1, 0.6, 0.8, 0.9, 1.0]), ACCURACY).gap
    assert better is not None
    assert better.size == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("last", "named"),
    [
        ([1, 1, 1, 4, 4, 4], True),
        ([4, 4, 4, 1, 1, 1], True),
        ([1, 2, 1, 2, 1, 2], False),
        ([2, 2, 3, 3, 3, 3], False),
        ([0, 0, 1, 1, 1, 1], False),  # a ratio to nothing is none
        ([1, 1, 1, 1, 0, 0], False),
    ],
)
def test_the_trend_of_the_gradients(last: list[float], named: bool) -> None:
    found = signs(curve([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], grad_norm=last), LOSS)
    assert found.gradients == ("grad_norm" if named else "")
    assert not named or found.gradients_ratio == last[-1] / last[0]


def test_a_gradient_that_was_told_a_few_times_has_no_trend() -> None:
    points = curve([1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    few = [
        Point(p.step, {**p.metrics, "grad_norm": 10.0**i} if i < FEWEST - 1 else p.metrics, p.seconds)
        for i, p in enumerate(points)
    ]
    assert signs(few, LOSS).gradients == ""


def test_few_points_say_nothing() -> None:
    assert signs(curve([1.0] * (FEWEST - 1)), LOSS) == Signs()
    assert signs(curve([1.0] * 20, "other"), LOSS) == Signs()
    assert not Signs()


@pytest.mark.parametrize(
    ("metric", "first"),
    [("val_loss", "train_loss"), ("eval/acc", "train/acc"), ("loss", "train_loss"), ("acc_test", "acc_train")],
)
def test_what_is_read_beside_a_metric(metric: str, first: str) -> None:
    assert companions(metric)[0] == first
    assert "grad_norm" in companions(metric)


def test_a_training_metric_has_no_other_half() -> None:
    assert companions("train_loss") == ("grad_norm", "gradient_norm")
    assert "grad_norm" not in companions("grad_norm")
