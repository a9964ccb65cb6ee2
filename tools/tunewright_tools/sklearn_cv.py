"""Cross-validates a scikit-learn estimator or pipeline, optionally nested, and prints its scores.

    python -m tunewright_tools.sklearn_cv --estimator sklearn.svm.SVC --data digits --scoring accuracy C=10 gamma=0.01
    python -m tunewright_tools.sklearn_cv --pipeline steps.yaml --data table.csv --target price svr__C=10

`name=value` sets a parameter, `step__name=value` one of a pipeline's step. A pipeline is a YAML or JSON list of
`{name: scale, estimator: sklearn.preprocessing.StandardScaler, params: {...}}`. Only classes of the packages that
`--package` names (scikit-learn if none is named) are loaded, and only those that are scikit-learn estimators.

After each fold it prints `step=... accuracy=... accuracy_fold=...`, the mean of the folds so far and the fold's own
score, and at the end for each scorer its mean and standard deviation over the folds: `accuracy: ...`,
`accuracy_std: ...`. Scores are larger when better, as scikit-learn has them (`neg_log_loss`).

A configuration chosen for its score has been lucky too, so its score flatters it. With `--outer-folds 5 --outer-fold 0`
the first fifth of the data is put aside: the scores above come from folds of the rest, and a model fitted to all of the
rest is scored once on what was put aside, printed as `outer_accuracy`. Tune for `accuracy`, never for that. One study
for each of the five outer folds, and the mean of the `outer_accuracy` of each one's best trial, is nested
cross-validation: an honest estimate of tuning and fitting together.

With `--checkpoint FILE` (default: TUNEWRIGHT_CHECKPOINT) the scores of finished folds are kept there, and a run that
finds the file goes on after them.
"""

# ruff: noqa: T201  (what a trainer prints is its result)
import argparse
import contextlib
import hashlib
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .sklearn_cv_data import BUILT_IN, InputError, read_data
from .torch_errors import ConflictError, conflict

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORDS = {"True": True, "False": False, "None": None}


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="sklearn_cv",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("--estimator", help="import path of an estimator's class, such as sklearn.svm.SVC")
    add("--pipeline", help="a YAML or JSON file with a list of steps, in place of --estimator")
    add("--package", action="append", help="a package that estimators may come from; may be repeated; sklearn if none")
    add("--data", default="digits", help=f"a CSV or NPZ file, or one of {', '.join(BUILT_IN)}")
    add("--target", help="the CSV's column to predict, the last if not given")
    add("--scoring", default="accuracy", help="scorers of scikit-learn, separated by commas")
    add("--folds", type=int, default=5, help="folds that the scores are the mean of")
    add("--outer-folds", type=int, help="cut the data in so many parts, of which one is put aside")
    add("--outer-fold", type=int, help="which part is put aside, counted from 0")
    add("--seed", type=int, default=int(os.environ.get("TUNEWRIGHT_SEED", "0")), help="each random_state not set")
    add("--data-seed", type=int, default=0, help="of the folds; keep it fixed, so that runs can be compared")
    add("--checkpoint", default=os.environ.get("TUNEWRIGHT_CHECKPOINT"), help="file to go on from and to write")
    add("parameters", nargs="*", metavar="name=value", help="parameters of the estimator or of the pipeline's steps")
    return options


def value_of(text: str) -> Any:
    """The value that a text stands for: a word of Python, a number or list as JSON has it, else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def load_class(path: str, packages: list[str]) -> Any:
    """The estimator's class at this import path.

    Raises:
        InputError: its package is not among those named, it does not exist, or it is no estimator.
    """
    from sklearn.base import BaseEstimator

    module, _, name = path.rpartition(".")
    if path.split(".")[0] not in packages or not module:
        raise InputError(
            f"{path!r} is not of the package{'s' if len(packages) > 1 else ''} {', '.join(packages)}; "
            "write its whole import path, and name another package with --package"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{path!r} cannot be loaded: {error}") from None
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise InputError(f"{path!r} is no scikit-learn estimator's class")
    return found


def load_pipeline(path: str, packages: list[str]) -> Any:
    """The pipeline whose steps a YAML or JSON file lists.

    Raises:
        InputError: the file cannot be read or is no such list.
    """
    import yaml
    from sklearn.pipeline import Pipeline

    try:
        steps = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"--pipeline {path} cannot be read: {error}") from None
    form = "each step is {name: TEXT, estimator: IMPORT.PATH, params: {...}}, params may be left out"
    if not isinstance(steps, list) or not steps:
        raise InputError(f"--pipeline {path} is not a list of steps; {form}")
    made = []
    for step in steps:
        if not isinstance(step, dict) or not {"name", "estimator"} <= set(step) <= {"name", "estimator", "params"}:
            raise InputError(f"--pipeline {path} has the step {step!r}; {form}")
        made.append((step["name"], _build(load_class(str(step["estimator"]), packages), step.get("params") or {})))
    return Pipeline(made)


def _build(kind: Any, parameters: dict[str, Any]) -> Any:
    try:
        return kind(**parameters)
    except TypeError as error:
        raise InputError(f"{kind.__name__} cannot be made: {error}") from None


def estimator(given: argparse.Namespace) -> Any:
    """The estimator that the options describe, each `random_state` that was not set at the seed.

    Raises:
        InputError: it cannot be loaded or has no such parameter.
    """
    packages = given.package or ["sklearn"]
    if (given.estimator is None) == (given.pipeline is None):
        raise InputError("give one of --estimator and --pipeline")
    kind = load_class(given.estimator, packages) if given.estimator else None
    made = load_pipeline(given.pipeline, packages) if kind is None else _build(kind, {})
    chosen = {}
    for text in given.parameters:
        name, sign, value = text.partition("=")
        if not sign or not name or name in chosen:
            raise InputError(f"{text!r} is not name=value, or names a parameter twice")
        chosen[name] = value_of(value)
    unset = {name for name, value in made.get_params().items() if value is None and name.endswith("random_state")}
    seeds = dict.fromkeys(unset - set(chosen), given.seed)
    try:
        return made.set_params(**seeds, **chosen)
    except (ValueError, AttributeError) as error:
        raise InputError(str(error)) from None


@dataclass
class Folds:
    """Scores of the folds that are done, kept in a file where there is one.

    Raises:
        InputError: the file is another run's, or cannot be read.
    """

    path: Path | None
    identity: str

    def __post_init__(self) -> None:
        self.scores: list[dict[str, float]] = []
        if self.path is not None and self.path.exists():
            try:
                kept = json.loads(self.path.read_text())
                identity, self.scores = kept["identity"], kept["scores"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"the checkpoint {self.path} cannot be read ({type(error).__name__}: {error}); delete it, or name "
                    "another file"
                ) from None
            if identity != self.identity:
                raise InputError(f"the checkpoint {self.path} is of other options or data; name another file")

    def add(self, scores: dict[str, float]) -> None:
        """Append a fold's; they are on disk when this returns."""
        self.scores.append(scores)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            half_written = self.path.with_name(self.path.name + ".part")
            half_written.write_text(json.dumps({"identity": self.identity, "scores": self.scores}))
            half_written.replace(self.path)


def run(given: argparse.Namespace) -> None:
    """Cross-validate and print.

    Raises:
        InputError: something on the command line cannot be used.
        ConflictError: the estimator does not take a parameter's value, or cells of the data.
    """
    import numpy as np
    from sklearn.base import clone, is_classifier
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import KFold, StratifiedKFold

    model = estimator(given)
    try:
        scorers = {name.strip(): get_scorer(name.strip()) for name in given.scoring.split(",")}
    except ValueError as error:
        raise InputError(str(error).splitlines()[0]) from None
    features, targets = read_data(given.data, given.target)
    if is_classifier(model) and len(np.unique(targets)) < 2:
        raise InputError(
            f"the target of {given.data} is {targets[0]} in all rows; a classifier has nothing to tell apart"
        )
    data_digest = hashlib.sha256(np.ascontiguousarray(features).tobytes() + np.array(targets).tobytes()).hexdigest()
    settings = {key: value for key, value in vars(given).items() if key != "checkpoint"}
    steps = Path(given.pipeline).read_text(encoding="utf-8") if given.pipeline else None
    identity = hashlib.sha256(json.dumps([settings, steps, data_digest]).encode()).hexdigest()
    split = StratifiedKFold if is_classifier(model) else KFold
    inside, outside = np.arange(len(targets)), None
    if given.outer_folds is not None:
        outer = split(given.outer_folds, shuffle=True, random_state=given.data_seed)
        inside, outside = _cut(outer, targets)[given.outer_fold]
    folds = Folds(Path(given.checkpoint) if given.checkpoint else None, identity)
    inner = split(given.folds, shuffle=True, random_state=given.data_seed + 1)
    for number, (train, test) in enumerate(_cut(inner, targets[inside]), 1):
        if number > len(folds.scores):
            began = time.monotonic()
            with _takes(model, features):
                fitted = clone(model).fit(features[inside[train]], targets[inside[train]])
                samples = len(train) / (time.monotonic() - began)
                scored = features[inside[test]], targets[inside[test]]
                scores = {name: float(scorer(fitted, *scored)) for name, scorer in scorers.items()}
            folds.add(scores)
            print(f"samples_per_second: {samples:.1f}")
        so_far = folds.scores[:number]
        means = [(name, np.mean([fold[name] for fold in so_far]), so_far[-1][name]) for name in scorers]
        said = [f"{name}={_digits(mean)} {name}_fold={_digits(own)}" for name, mean, own in means]
        print(f"step={number}", *said, flush=True)
    if outside is not None:
        with _takes(model, features):
            fitted = clone(model).fit(features[inside], targets[inside])
            for name, scorer in scorers.items():
                print(f"outer_{name}: {_digits(scorer(fitted, features[outside], targets[outside]))}")
    for name in scorers:
        own = [fold[name] for fold in folds.scores]
        print(f"{name}: {_digits(np.mean(own))}\n{name}_std: {_digits(np.std(own, ddof=1))}", flush=True)


def _cut(split: Any, targets: "Array") -> list[tuple["Array", "Array"]]:
    """For each fold the rows to fit on and those to score.

    Raises:
        InputError: there are too few rows, or too few of a class, or the targets of a classifier are no classes.
    """
    try:
        return list(split.split(targets, targets))
    except ValueError as error:
        raise InputError(f"the data cannot be cut into {split.n_splits} folds: {error}") from None


@contextlib.contextmanager
def _takes(model: Any, features: "Array") -> Iterator[None]:
    """Ends a block in which the estimator fits or predicts with one line where it takes no such value or cells.

    Raises:
        ConflictError: a parameter of the estimator has a value that it does not take, or the data has cells that it
            does not take: scikit-learn's words for that, an input that contains NaN or infinity, read as if the
            training had diverged.
    """
    import numpy as np

    try:
        yield
    except ValueError as error:
        if type(error).__name__ == "InvalidParameterError":  # a class of a private module
            raise ConflictError(" ".join(str(error).split())) from None
        last = model.steps[-1][1] if hasattr(model, "steps") else model
        if "NaN" in str(error) and np.isnan(features).any():
            raise ConflictError(
                f"the data has missing cells, and {type(last).__name__} takes none: fill them in, or begin the "
                "pipeline with sklearn.impute.SimpleImputer"
            ) from None
        if "infinity" in str(error) and (np.abs(features) > np.finfo(np.float32).max).any():
            raise ConflictError(
                f"the data has cells of {np.nanmax(np.abs(features)):g}, and {type(last).__name__} takes none as "
                "large: put right or empty what is no measurement"
            ) from None
        raise


def _digits(score: Any) -> str:
    """Digits wherever the point is: a squared error is in its target's unit squared, and may be a millionth."""
    return f"{score:.9g}"


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; with a message, 2 where the command line cannot be used, 1 where the estimator does not fit."""
    options = parser()
    given = options.parse_intermixed_args(argv)  # name=value may stand among the options

    def refuse(message: str) -> NoReturn:
        options.error(message)

    if not all(0 <= seed < 2**32 - 1 for seed in (given.seed, given.data_seed)):
        refuse("--seed and --data-seed must be at least 0 and below 2**32 - 1")
    if given.folds < 2:
        refuse(f"--folds must be at least 2, not {given.folds}")
    if (given.outer_folds is None) != (given.outer_fold is None):
        refuse("--outer-folds and --outer-fold go together")
    if given.outer_folds is not None and not (given.outer_folds >= 2 and 0 <= given.outer_fold < given.outer_folds):
        refuse("--outer-folds must be at least 2, and --outer-fold at least 0 and below it")
    try:
        run(given)
    except InputError as error:
        refuse(str(error))
    except ConflictError as error:
        conflict(options, str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
