import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform, norm, randint, uniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from tunewright.errors import CardError, SpaceError, StudyError
from tunewright.integrations.sklearn import TunewrightSearchCV
from tunewright.integrations.sklearn_space import SearchSpace
from tunewright.llm.scripted import Scripted
from tunewright.parameters import Choice, Float, Int
from tunewright.space import Space

X, y = load_iris(return_X_y=True)
C = Float("C", 1e-3, 1e3, log=True, default=1.0)


def search(estimator: Any = None, space: Any = None, **changes: Any) -> TunewrightSearchCV:
    given = {"n_trials": 3, "model": None, "cv": 3, "random_state": 0, **changes}
    return TunewrightSearchCV(SVC() if estimator is None else estimator, [C] if space is None else space, **given)


class Brittle(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits for an even k alone; for k = 8, in all folds but one."""

    fits = 0

    def __init__(self, k: int = 0, kind: type[Exception] = ValueError) -> None:
        self.k = k
        self.kind = kind

    def fit(self, X: Any, y: Any) -> "Brittle":
        type(self).fits += 1
        if self.k % 2 or (self.k == 8 and type(self).fits % 3 == 0):
            raise self.kind(f"k is {self.k}")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[self.k % 3])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # checks with data that no estimator takes make fits fail, which is said
@parametrize_with_checks(
    [search(LogisticRegression(), n_trials=2, cv=2), search(Ridge(), [Float("alpha", 0.1, 10)], n_trials=2, cv=2)]
)
def test_the_estimator_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_it_finds_better_parameters_than_the_default() -> None:
    space = Space(C, Float("gamma", 1e-4, 10, log=True, default=1e-4))
    found = search(space=space, n_trials=8).fit(X, y)
    assert found.cv_results_["source"].tolist()[:2] == ["default", "sobol"]
    assert set(found.cv_results_["source"][5:]) == {"surrogate"}
    assert found.cv_results_["params"][0] == {"C": 1.0, "gamma": 1e-4}
    assert found.best_score_ > 0.9 > found.cv_results_["mean_test_score"][0]
    assert found.best_score_ == pytest.approx(cross_val_score(SVC(**found.best_params_), X, y, cv=3).mean())
    assert found.score(X, y) > 0.9
    assert [t.config for t in found.trials_] == found.cv_results_["params"]
    again = search(space=space, n_trials=8).fit(X, y)
    assert again.cv_results_["params"] == found.cv_results_["params"]
    assert pickle.loads(pickle.dumps(found)).best_params_ == found.best_params_


def test_a_model_is_asked_and_its_point_runs() -> None:
    chat = Scripted([{"proposals": [{"rationale": "usual", "config": {"C": 12.0}}], "prior": {}}], repeat_last=True)
    found = search(goal="irises", known=["classes are even"], model=chat, n_trials=2).fit(X, y)
    assert found.cv_results_["source"].tolist() == ["default", "llm"]
    assert found.cv_results_["rationale"][1] == "usual"
    assert found.cv_results_["params"][1] == {"C": 12.0}
    assert "classes are even" in found.model_calls_[0].prompt
    assert f"{len(X)} rows" in found.model_calls_[0].prompt
    assert chat.requests


def test_a_pipeline_with_conditions_and_steps() -> None:
    space = {
        "svc__C": loguniform(1e-2, 1e2),
        "svc__kernel": ["rbf", "linear"],
        "standardscaler": [StandardScaler(), MinMaxScaler(), "passthrough"],
        "svc__tol": [1e-3],
    }
    found = search(make_pipeline(StandardScaler(), SVC()), space, n_trials=6).fit(X, y)
    assert all(p["svc__tol"] == 1e-3 for p in found.cv_results_["params"])
    steps = {str(p["standardscaler"]) for p in found.cv_results_["params"]}
    assert steps <= {"StandardScaler()", "MinMaxScaler()", "passthrough"}
    assert len(steps) > 1
    conditional = [Choice("kernel", ["rbf", "linear"]), Float("gamma", 1e-3, 1, log=True, when={"kernel": "rbf"})]
    found = search(space=conditional, n_trials=5).fit(X, y)
    kernels = found.cv_results_["param_kernel"]
    assert found.cv_results_["param_gamma"].mask.tolist() == [k == "linear" for k in kernels]
    assert "linear" in kernels


def test_a_failed_fit_is_a_failed_trial_with_nan_in_its_place() -> None:
    with pytest.warns(FitFailedWarning, match="k is"), pytest.warns(UserWarning, match="non-finite"):
        found = search(Brittle(), [Int("k", 0, 7, default=0)], n_trials=7).fit(X, y)
    results = found.cv_results_
    ks = [p["k"] for p in results["params"]]
    assert len(set(ks)) == 7
    assert np.isnan(results["mean_test_score"]).tolist() == [k % 2 == 1 for k in ks]
    assert [t.config["k"] for t in found.trials_] == ks
    assert [t.status for t in found.trials_] == ["crashed" if k % 2 else "done" for k in ks]
    failed = next(t for t in found.trials_ if t.status == "crashed")
    assert failed.outcome is not None
    assert failed.outcome.fault == "config"
    assert "k is" in failed.outcome.detail
    assert found.best_params_["k"] % 2 == 0
    assert len(results["source"]) == len(results["split2_test_score"]) == 7


def test_one_failed_fold_fails_the_trial() -> None:
    Brittle.fits = 0
    with pytest.warns(FitFailedWarning, match="1 fits failed"):
        found = search(Brittle(), [Int("k", 0, 8, step=8, default=8)], n_trials=2, error_score=0.0).fit(X, y)
    assert found.trials_[0].config == {"k": 8}
    assert [t.status for t in found.trials_] == ["crashed", "done"]
    assert found.cv_results_["split2_test_score"][0] == 0.0


def test_a_memory_error_is_out_of_memory_and_the_last_round_may_fail() -> None:
    space = [Int("k", 0, 1, default=0)]
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        found = search(Brittle(kind=MemoryError), space, n_trials=2, return_train_score=True).fit(X, y)
    assert [t.status for t in found.trials_] == ["done", "oom"]
    assert np.isnan(found.cv_results_["mean_train_score"]).tolist() == [False, True]
    assert found.cv_results_["rank_test_score"].tolist() == [1, 2]


def test_where_every_fit_fails_scikit_learn_says_so() -> None:
    with pytest.raises(ValueError, match="fits failed"):
        search(Brittle(), [Int("k", 1, 3, step=2)], n_trials=2).fit(X, y)
    with pytest.raises(ValueError, match="k is 1"):
        search(Brittle(), [Int("k", 0, 1, default=1)], error_score="raise").fit(X, y)


def test_several_metrics() -> None:
    regression = LogisticRegression(max_iter=5000)
    scoring = ["accuracy", "neg_log_loss"]
    one = search(regression, scoring=scoring, refit="neg_log_loss").fit(X, y)
    assert "mean_test_accuracy" in one.cv_results_
    assert set(one.trials_[0].outcome.metrics) == {"neg_log_loss"}
    assert one.best_index_ == one.cv_results_["mean_test_neg_log_loss"].argmax()
    both = search(regression, scoring=scoring, refit=False).fit(X, y)
    assert set(both.trials_[0].outcome.metrics) == set(scoring)
    assert not hasattr(both, "best_estimator_")
    last = search(regression, scoring=scoring, refit=lambda results: len(results["params"]) - 1).fit(X, y)
    assert last.best_index_ == 2


def two_scores(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    return {"a": float(estimator.score(X, y)), "b": 1.0}


def test_a_callable_scoring() -> None:
    assert search(scoring=two_scores, refit="a").fit(X, y).best_score_ > 0.9
    with pytest.raises(CardError, match="gives a, b, not score"):
        search(scoring=two_scores, refit=False).fit(X, y)


def test_several_jobs_run_several_candidates_at_once() -> None:
    with joblib.parallel_config("threading"):
        found = search(KNeighborsClassifier(), [Int("n_neighbors", 1, 40)], n_trials=6, n_jobs=4, cv=2).fit(X, y)
    params = [p["n_neighbors"] for p in found.cv_results_["params"]]
    assert len(set(params)) == 6
    starts = [t.started for t in found.trials_]
    ends = [t.finished for t in found.trials_]
    assert starts[2] < ends[1]  # the second and third ran at the same time


def test_it_ends_with_the_space() -> None:
    found = search(space=[Choice("kernel", ["rbf", "linear"])], n_trials=9).fit(X, y)
    assert len(found.cv_results_["params"]) == 2


def test_a_record_is_kept_where_asked_and_not_mixed_up(tmp_path: Path) -> None:
    mine = search(storage=f"sqlite:///{tmp_path}/s.db", n_trials=2)
    mine.fit(X, y)
    # a seed that is drawn anew, or another space, is no reason to say anything else
    for change in ({}, {"random_state": None}, {"space": [Choice("kernel", ["rbf", "linear"])]}):
        with pytest.raises(StudyError, match="holds a study 'svc' already") as refused:
            clone(mine).set_params(**change).fit(X, y)
        assert refused.value.hint == "a fit starts anew: give another storage or goal"


def test_the_number_of_candidates_may_be_one_of_numpys() -> None:
    assert len(search(n_trials=np.int64(2)).fit(X, y).cv_results_["params"]) == 2


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(CardError, match="n_trials is 0"):
        search(n_trials=0).fit(X, y)
    for space, message in [
        ({"C": norm(0, 1)}, "'C' is drawn from norm"),
        ({"C": []}, "no values"),
        ({"C": 3.0}, "'C' is 3.0"),
        ({"C": "abc"}, "'C' is 'abc'"),
        ("C", "the space is str"),
        ([C, "x"], "the space is list"),
    ]:
        with pytest.raises(SpaceError, match=message):
            SearchSpace(space)


def test_each_distribution_has_its_parameter() -> None:
    given = {"a": uniform(1, 2), "b": loguniform(1e-3, 1), "c": randint(2, 9), "d": np.array([1, 2]), "e": [None]}
    read = SearchSpace(given)
    wanted = [Float("a", 1, 3), Float("b", 1e-3, 1, log=True), Int("c", 2, 8), Choice("d", [1, 2])]
    assert list(read.space) == wanted
    assert read.params({"a": 2.0, "d": 2}) == {"a": 2.0, "d": 2, "e": None}
    assert SearchSpace({"max depth": [None, 3]}).params({"max_depth": "None"}) == {"max depth": None}


def test_clones_share_a_chat_and_nothing_else() -> None:
    chat = Scripted([{"proposals": [{"config": {"C": 3.0}}]}], repeat_last=True)
    mine = search(model=chat, n_trials=5)
    made = clone(mine)
    assert made.model is mine.model is chat
    assert made.estimator is not mine.estimator
    assert made.get_params(deep=False).keys() == mine.get_params(deep=False).keys()
    cross_val_score(mine, X, y, cv=2, error_score="raise")  # which clones it for each fold
    assert chat.requests
    assert not hasattr(made, "best_params_")
    assert not hasattr(clone(search(n_trials=2).fit(X, y)), "best_params_")
