import runpy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, ParameterSampler, RandomizedSearchCV
from toy import card, space

from tunewright import warmstart
from tunewright.errors import SpaceError
from tunewright.export import to
from tunewright.export.sklearn import grid, log_integers
from tunewright.export.sklearn import space as sklearn_space
from tunewright.space import Choice, Float, Int, Space

X, Y = load_iris(return_X_y=True)


class Toy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Takes the toy space's parameters and remembers nothing but the classes."""

    def __init__(self, lr: float = 1e-3, optimizer: str = "adamw", momentum: Any = None, width: int = 64) -> None:
        self.lr = lr
        self.optimizer = optimizer
        self.momentum = momentum
        self.width = width

    def fit(self, x: Any, y: Any) -> "Toy":
        self.classes_ = np.unique(y)
        return self

    def predict(self, x: Any) -> Any:
        return np.full(len(x), self.classes_[int(-np.log10(self.lr)) % len(self.classes_)])


def test_the_points_are_what_a_grid_search_tries_in_their_order() -> None:
    points = warmstart(card(), n=5, model=None)
    search = GridSearchCV(Toy(), grid(points), cv=3).fit(X, Y)
    assert search.cv_results_["params"] == points.configs


def test_the_points_are_where_a_halving_search_starts() -> None:
    points = warmstart(card(), n=5, model=None)
    search = HalvingGridSearchCV(Toy(), grid(points), cv=3, random_state=0).fit(X, Y)
    first = [p for p, i in zip(search.cv_results_["params"], search.cv_results_["iter"], strict=True) if i == 0]
    assert first == points.configs


def test_a_randomized_search_draws_valid_configurations_conditions_included() -> None:
    spaces = sklearn_space(card())
    assert len(spaces) == 2
    search = RandomizedSearchCV(Toy(), spaces, n_iter=30, cv=2, random_state=0).fit(X, Y)
    drawn = search.cv_results_["params"]
    for params in drawn:
        native = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        checked = card().space.check(native)
        assert not checked.faults
        assert not checked.ignored
    assert {"momentum" in params for params in drawn} == {True, False}


def test_every_kind_of_parameter_stays_inside_its_bounds_and_on_its_grid() -> None:
    kinds = Space(
        Float("plain", -1.0, 2.0),
        Float("log", 1e-5, 1e-1, log=True),
        Float("stepped", 0.1, 0.9, step=0.2),
        Int("count", 1, 3),
        Int("count_log", 1, 500, log=True),
        Int("count_stepped", 2, 11, step=4),
        Int("power", 3, 70, rounding="power_of_two"),
        Choice("flag", [True, False]),
    )
    (found,) = sklearn_space(card(space=kinds))
    seen = list(ParameterSampler(found, 400, random_state=0))
    for params in seen:
        native = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        checked = kinds.check(native)
        assert not checked.faults
        assert checked.config == native
    assert {p["count"] for p in seen} == {1, 2, 3}
    assert {p["count_stepped"] for p in seen} == {2, 6, 10}
    assert {p["power"] for p in seen} == {4, 8, 16, 32, 64}
    assert {p["stepped"] for p in seen} == {0.1, 0.3, 0.5, 0.7, 0.9}
    assert 10 < np.median([p["count_log"] for p in seen]) < 40  # evenly on the log scale, the middle is 22


def test_whole_numbers_on_a_log_scale_have_equal_shares_of_it() -> None:
    assert log_integers(1, 7).cdf(2) == pytest.approx(np.log(2.5 / 0.5) / np.log(7.5 / 0.5))


@pytest.mark.parametrize(
    ("what", "name", "nearest"),
    [
        (Space(Float("p", 0.25, 0.75, logit=True)), "p: a logit scale", r"uniform\(0.25, 0.5\)"),
        (Space(Int("n", 1, 10**6, log=True)), "n: 1000000 integers on a log scale", "loguniform"),
        (Space(Float("s", 0.0, 1.0, step=1e-6)), "s: 1000001 steps", "without a step"),
        (Space(Int("a", 1, 8), Int("b", 1, 8), relations=["a % b == 0"]), "a and b: a % b == 0", "the points alone"),
        (Space(Int("k", 1, 3), Float("x", 0.0, 1.0, when={"k": 2})), "x: a condition on the number k", "k as a Choice"),
    ],
)
def test_what_has_no_form_is_named_with_the_nearest_thing(what: Space, name: str, nearest: str) -> None:
    with pytest.raises(SpaceError, match=name) as caught:
        sklearn_space(card(space=what))
    assert caught.match(nearest)
    points = warmstart(card(space=what), n=2, model=None)
    assert f"# The space is left out: scikit-learn's randomized search has no form for {name}" in to(
        "sklearn", points, card(space=what)
    )


def test_the_text_runs_and_says_the_same(tmp_path: Path) -> None:
    wide = card(space=Space(*space(), Int("trees", 10, 300, log=True), Int("depth", 2, 9)))
    points = warmstart(wide, n=3, model=None)
    (tmp_path / "start.py").write_text(to("sklearn", points, wide))
    names = runpy.run_path(str(tmp_path / "start.py"))
    assert names["points"] == grid(points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = list(ParameterSampler(names["space"], 12, random_state=0))
    assert written == list(ParameterSampler(sklearn_space(wide), 12, random_state=0))
