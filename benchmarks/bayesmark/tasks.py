"""The 25 tasks: a model of scikit-learn, one of its built-in data sets, the space of Bayesmark, and the objective."""

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunewright.card import TaskCard
from tunewright.space import Float, Int, Parameter, Space
from tunewright_tools.base import Config

DATASETS = ("breast", "digits", "wine", "iris", "diabetes")
MODELS = ("RandomForest", "DecisionTree", "SVM", "MLP_SGD", "AdaBoost")
SATURATED = (
    "iris/DecisionTree",
    "iris/SVM",
    "iris/AdaBoost",
    "diabetes/AdaBoost",
    "digits/MLP_SGD",
    "breast/MLP_SGD",
)
"""Every method is near the best by trial 10: they tell nothing."""
REPORT = (
    "diabetes/MLP_SGD",
    "wine/MLP_SGD",
    "digits/RandomForest",
    "digits/DecisionTree",
    "wine/RandomForest",
    "diabetes/RandomForest",
    "diabetes/DecisionTree",
    "wine/SVM",
    "wine/AdaBoost",
    "breast/DecisionTree",
)
"""For reporting, with seeds 0 to 4; no choice is made on them."""
FAST = ("wine/DecisionTree", "iris/RandomForest", "diabetes/SVM")
"""Cheap development tasks, for a quick check that everything runs."""

_TREE: tuple[Parameter, ...] = (
    Int("max_depth", 1, 15, about="depth that a tree may reach"),
    Float("max_features", 0.01, 0.99, logit=True, about="share of the features looked at for each split"),
    Float("min_impurity_decrease", 0.0, 0.5, about="a split must lower the impurity by at least this much"),
    Float("min_samples_leaf", 0.01, 0.49, logit=True, about="smallest share of the training rows in a leaf"),
    Float("min_samples_split", 0.01, 0.99, logit=True, about="smallest share of the training rows in a node to split"),
    Float(
        "min_weight_fraction_leaf",
        0.01,
        0.49,
        logit=True,
        about="smallest share of the total row weight in a leaf; rows weigh the same",
    ),
)
_SVM: tuple[Parameter, ...] = (
    Float("C", 1.0, 1000.0, log=True, about="inverse strength of the regularisation"),
    Float("gamma", 1e-4, 1e-3, log=True, about="coefficient of the RBF kernel"),
    Float("tol", 1e-5, 0.1, log=True, about="tolerance at which the solver stops"),
)
_MLP: tuple[Parameter, ...] = (
    Int("hidden_layer_sizes", 50, 200, about="units in the one hidden layer"),
    Float("alpha", 1e-5, 10.0, log=True, about="strength of the L2 penalty"),
    Int("batch_size", 10, 250, about="rows in a minibatch"),
    Float("learning_rate_init", 1e-5, 0.1, log=True, about="initial step size of SGD"),
    Float("power_t", 0.1, 0.9, logit=True, about="exponent by which the step size falls (inverse scaling)"),
    Float("momentum", 0.001, 0.999, logit=True, about="Nesterov momentum of SGD"),
)
_ADABOOST: tuple[Parameter, ...] = (
    Int("n_estimators", 10, 100, about="number of trees"),
    Float("learning_rate", 1e-4, 10.0, log=True, about="weight of each tree's contribution"),
)
_PARAMETERS = {"RandomForest": _TREE, "DecisionTree": _TREE, "SVM": _SVM, "MLP_SGD": _MLP, "AdaBoost": _ADABOOST}
_MODEL_WORDS = {
    "RandomForest": "a random forest of 10 trees",
    "DecisionTree": "a decision tree",
    "SVM": "a support vector machine with RBF kernel",
    "MLP_SGD": "a perceptron with one hidden layer, trained by SGD for at most 40 epochs with early stopping "
    "and an inverse-scaling step size",
    "AdaBoost": "AdaBoost",
}
_DATA_WORDS = {
    "breast": "breast cancer data (455 rows, 30 features, 2 classes)",
    "digits": "digits data (1437 rows, 64 features, 10 classes)",
    "wine": "wine data (142 rows, 13 features, 3 classes)",
    "iris": "iris data (120 rows, 4 features, 3 classes)",
    "diabetes": "diabetes data (353 rows, 10 features, target standardised)",
}


@dataclass(frozen=True)
class Task:
    """One model on one data set."""

    dataset: str
    model: str

    @property
    def name(self) -> str:
        """For example `wine/SVM`."""
        return f"{self.dataset}/{self.model}"

    @property
    def regression(self) -> bool:
        """Whether the score is an error, to be minimised."""
        return self.dataset == "diabetes"

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Which way the score improves."""
        return "minimize" if self.regression else "maximize"

    @property
    def metric(self) -> str:
        """The score's name."""
        return "mean_squared_error" if self.regression else "accuracy"

    @property
    def failed(self) -> float:
        """What regret counts where nothing has run to its end yet; no method is told this number."""
        return 10.0 if self.regression else 0.0

    @property
    def space(self) -> Space:
        """The parameters of the model."""
        return Space(*_PARAMETERS[self.model])

    def card(self, trials: int) -> TaskCard:
        """The task as Tunewright is told of it; it starts without a default, since every method starts alike."""
        words = _MODEL_WORDS[self.model]
        if self.model == "AdaBoost":
            words += " of depth-3 trees" if self.regression else " of depth-1 trees (SAMME.R)"
        metric = self.metric.replace("_", " ")
        return TaskCard(
            goal=f"The hyperparameters of {words} on scikit-learn's {_DATA_WORDS[self.dataset]}, features not scaled, "
            f"for the {metric} of 5-fold cross-validation",
            name=f"{self.dataset}-{self.model}",
            metric=self.metric,
            direction=self.direction,
            space=self.space,
            start="none",
            budget={"trials": trials},
        )

    def evaluate(self, config: Mapping[str, Any]) -> float | None:
        """The mean score of 5-fold cross-validation, on one thread; None where a fit failed.

        Raises:
            ValueError: the configuration is not of the task's space, which is a fault of who proposed it.
        """
        checked = self.space.check(config)
        if checked.faults or checked.ignored:
            raise ValueError(f"{self.name} cannot run {dict(config)!r}: {', '.join(map(str, checked.faults))}")
        return self._measure(config)

    def _measure(self, config: Mapping[str, Any]) -> float | None:
        import numpy as np
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import cross_val_score

        X, y = _data(self.dataset)
        scoring = "neg_mean_squared_error" if self.regression else "accuracy"
        with warnings.catch_warnings(), _one_thread().limit(limits=1):
            # 40 epochs rarely converge, batches larger than the data are cut, a step of 0.1 may overflow: all as asked
            for kind in (ConvergenceWarning, RuntimeWarning, UserWarning):
                warnings.simplefilter("ignore", kind)
            try:
                scores = cross_val_score(self._estimator(config), X, y, cv=5, scoring=scoring, error_score="raise")
            except (ValueError, FloatingPointError):  # a network that diverged
                return None
        mean = float(-scores.mean() if self.regression else scores.mean())
        return mean if np.isfinite(mean) else None

    def _estimator(self, config: Mapping[str, Any]) -> Any:
        from benchmarks.bayesmark.boosting import SammeR
        from sklearn import ensemble, neural_network, svm, tree

        values = dict(config)
        match self.model:
            case "RandomForest":
                forest = ensemble.RandomForestRegressor if self.regression else ensemble.RandomForestClassifier
                return forest(n_estimators=10, random_state=0, n_jobs=1, **values)
            case "DecisionTree":
                return (tree.DecisionTreeRegressor if self.regression else tree.DecisionTreeClassifier)(
                    random_state=0, **values
                )
            case "SVM":
                return svm.SVR(**values) if self.regression else svm.SVC(random_state=0, **values)
            case "MLP_SGD":
                fixed = {
                    "solver": "sgd",
                    "early_stopping": True,
                    "max_iter": 40,
                    "learning_rate": "invscaling",
                    "random_state": 0,
                }
                if self.regression:
                    return neural_network.MLPRegressor(activation="tanh", **fixed, **values)
                return neural_network.MLPClassifier(**fixed, **values)
            case "AdaBoost":
                return ensemble.AdaBoostRegressor(random_state=0, **values) if self.regression else SammeR(**values)
        raise ValueError(f"no model is called {self.model!r}")


TASKS: dict[str, Task] = {f"{d}/{m}": Task(d, m) for d in DATASETS for m in MODELS}
DEV: tuple[str, ...] = tuple(name for name in TASKS if name not in SATURATED and name not in REPORT)
"""For choices, with seeds from 100 up."""
_GROUPS: dict[str, tuple[str, ...]] = {
    "dev": DEV,
    "report": REPORT,
    "saturated": SATURATED,
    "fast": FAST,
    "all": tuple(TASKS),
}


def select(names: list[str]) -> list[Task]:
    """Tasks by name or group, each once.

    Raises:
        ValueError: a name is neither; the message lists what there is.
    """
    found: dict[str, Task] = {}
    for name in names:
        if name not in TASKS and name not in _GROUPS:
            raise ValueError(
                f"{name!r} is no task; there are the groups {', '.join(_GROUPS)} and the tasks {', '.join(TASKS)}"
            )
        found |= {n: TASKS[n] for n in _GROUPS.get(name, (name,))}
    return list(found.values())


def known(task: Task, config: Config) -> Config:
    """The part of a configuration that is in the task's space: recorded replies hold names that are not."""
    return {name: value for name, value in config.items() if name in task.space}


@functools.cache
def _data(dataset: str) -> tuple[Any, Any]:
    """Rows and targets of the 80% that the objective works on."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    load = {
        "breast": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
        "wine": datasets.load_wine,
        "iris": datasets.load_iris,
        "diabetes": datasets.load_diabetes,
    }[dataset]
    X, y = load(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.2, random_state=0)
    return X, (y - y.mean()) / y.std() if dataset == "diabetes" else y


@functools.cache
def _one_thread() -> Any:
    from threadpoolctl import ThreadpoolController

    # it holds the native libraries that are loaded by now, hence the imports above

    return ThreadpoolController()
