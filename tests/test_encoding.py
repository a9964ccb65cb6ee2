"""Configurations as columns: scales, choices, conditions, log products."""

import numpy as np
import pytest

from tunewright.card import TaskCard
from tunewright.encoding import Encoding, failure_features
from tunewright.space import Choice, Float, Int, Space

SPACE = Space(
    Float("lr", 1e-4, 1e-1, log=True, default=1e-2),
    Choice("optimizer", ["adam", "sgd", "lion"]),
    Float("momentum", 0.5, 0.9, default=0.8, when={"optimizer": "sgd"}),
    Choice("nesterov", [True, False], when={"optimizer": "sgd"}),
    Choice("size", [8, 16, 32, 64], ordered=True),
    Int("depth", 1, 100),
)


def _distance(a: dict[str, object], b: dict[str, object]) -> float:
    X = Encoding(SPACE).encode([a, b])
    return float(np.linalg.norm(X[0] - X[1]))


BASE = {"lr": 1e-2, "optimizer": "adam", "size": 16, "depth": 50}


def test_two_values_of_a_choice_are_equally_far_apart() -> None:
    distances = {_distance(BASE, {**BASE, "optimizer": "lion"})}
    assert distances.pop() == pytest.approx(1.0)


def test_ordered_choices_have_near_and_far_neighbours() -> None:
    assert _distance(BASE, {**BASE, "size": 32}) < _distance(BASE, {**BASE, "size": 64})


def test_an_inactive_parameter_stands_at_its_default_beside_a_bit() -> None:
    encoding = Encoding(SPACE)
    off = encoding.encode([BASE])[0]
    on = encoding.encode([{**BASE, "optimizer": "sgd", "momentum": 0.8, "nesterov": True}])[0]
    same = encoding.groups == SPACE.names.index("momentum")
    assert off[same] == pytest.approx(on[same])
    assert (off[-1], on[-1]) == (0.0, 1.0)


def test_parameters_under_one_condition_share_a_bit() -> None:
    encoding = Encoding(SPACE)
    assert encoding.owners[-1] == ("momentum", "nesterov")
    assert encoding.n_groups == len(SPACE) + 1


def test_gradients_are_for_what_is_continuous() -> None:
    encoding = Encoding(SPACE)
    smooth = {SPACE.names[encoding.parameter_of(int(c))] for c in encoding.smooth}
    assert smooth == {"lr", "momentum", "depth"}


def test_no_configuration_is_no_row() -> None:
    assert Encoding(SPACE).encode([]).shape == (0, Encoding(SPACE).n_columns)


def test_what_ran_outside_moved_bounds_stands_where_it_is() -> None:
    encoding = Encoding(SPACE)
    ran = [BASE, {**BASE, "lr": 1.0}, {**BASE, "lr": 1e-7, "depth": 150}]
    X = encoding.encode_ran(ran)
    assert (X[0] == encoding.encode([BASE])[0]).all()
    assert X[:, 0] == pytest.approx([2 / 3, 4 / 3, -1.0])
    assert X[2, -2] == pytest.approx(1.495)
    assert encoding.encode(ran)[1, 0] == 1.0


def test_log_products_stand_beside_the_columns() -> None:
    card = TaskCard(
        goal="g", space=SPACE, metric="loss", direction="minimize", derived={"cost": {"depth": 2, "size": 1}}
    )
    encoding = Encoding(SPACE)
    F = failure_features(card, encoding, [BASE])
    assert F.shape == (1, encoding.n_columns + 1)
    assert F[0, -1] == pytest.approx(2 * np.log(50) + np.log(16))
