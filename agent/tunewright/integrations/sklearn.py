"""`TunewrightSearchCV`: a search for scikit-learn, in place of `GridSearchCV` and `RandomizedSearchCV`."""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from sklearn.base import _clone_parametrized
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state, get_tags

from tunewright.card import TaskCard
from tunewright.dataset import Dataset
from tunewright.errors import CardError, StudyError, TunerError
from tunewright.integrations.foreign import identifiers
from tunewright.integrations.sklearn_space import SearchSpace
from tunewright.llm.base import Chat
from tunewright.loop import Tuner
from tunewright.storage import Address
from tunewright.study import Study
from tunewright.trial import Trial

_ALL_FAILED = "fits failed"
"""What `BaseSearchCV` says, as a ValueError, when no fit of a round succeeded."""


class TunewrightSearchCV(BaseSearchCV):  # type: ignore[misc]
    """An estimator whose `fit` tunes another one by cross-validation, and then is that one with the best parameters.

    The first candidate is the default of the space, the next are the model's, then a surrogate chooses among what the
    model proposes and what it finds itself. `cv_results_`, `refit`, `n_jobs`, multimetric scoring and pipelines
    (`step__parameter`) are scikit-learn's own; `cv_results_` also has the columns `source` and `rationale`.

    A candidate of which a fit fails is a failed trial, from which the chance of success is learned; its scores are
    `error_score`. Where several metrics are scored and `refit` names one of them, that one is tuned; else all are.

    Args:
        estimator: as for `GridSearchCV`; a pipeline is one too.
        space: a `Space`; a list of parameters; or a mapping of names to lists and SciPy distributions (uniform,
            loguniform, randint) as `RandomizedSearchCV` takes it.
        n_trials: candidates; fewer where the space holds no more.
        model: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for the surrogate alone. It is told
            statistics of the data (rows, features, classes, correlations), never a cell of it. Clones share a `Chat`.
        goal: what is tuned and what for, for the model; the estimator's name unless given.
        known: facts that the model should know, one sentence each.
        storage: where the trials are recorded (an SQLAlchemy URL); a study that is there already is not continued.
            None keeps them for the time of the fit.
        base_url: of an OpenAI-compatible server.
        scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score: as for `GridSearchCV`.
            With more jobs than folds, as many candidates as fit are chosen and run at once.
        random_state: of everything random in the choice of candidates.

    Attributes:
        trials_: the trials of the study, with who proposed each and what the surrogate expected of it.
        model_calls_: every request to the model with its reply.
        and those of `GridSearchCV`.

    Raises (in `fit`):
        CardError, SpaceError: the space or the goal cannot be read.
        ModelError: the model cannot be asked.
        StudyError: the storage holds a study of that name.
        ValueError: all fits of all candidates failed, and what else scikit-learn raises.
    """

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_trials: int = 20,
        model: str | Chat | None = "local",
        goal: str = "",
        known: Sequence[str] = (),
        storage: str | None = None,
        base_url: str | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_trials = n_trials
        self.model = model
        self.goal = goal
        self.known = known
        self.storage = storage
        self.base_url = base_url
        self.random_state = random_state

    def __sklearn_clone__(self) -> "TunewrightSearchCV":
        shell = copy(self)
        shell.model = None
        made: TunewrightSearchCV = _clone_parametrized(shell)
        made.model = self.model  # a `Chat` has connections and locks, of which there is no copy
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = get_tags(self.estimator).target_tags.multi_output
        return tags

    def fit(self, X: Any, y: Any = None, **params: Any) -> "TunewrightSearchCV":
        """The fitted search; see the class."""
        if not isinstance(self.n_trials, int | np.integer) or self.n_trials < 1:
            raise CardError(f"n_trials is {self.n_trials!r}", "give a whole number, 1 or more")
        self._rounds = _Rounds(self.error_score)
        self._data = None if self.model is None else _described(X, y)
        try:
            super().fit(X, y, **params)
        finally:
            del self._rounds, self._data
        return self

    def _run_search(self, evaluate_candidates: Callable[..., dict[str, Any]]) -> None:
        search = SearchSpace(self.space)
        metrics = self._metrics(search)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with tempfile.TemporaryDirectory() as folder:
            storage = self.storage or f"sqlite:///{Path(folder) / 'search.db'}"
            card = self._card(search, metrics)
            _refuse_recorded(card, storage)  # before the record finds that a drawn seed or the space is another
            with Tuner(card, self.model, storage, seed=seed, base_url=self.base_url, folder=folder) as tuner:
                try:
                    tuner.planner.limit = int(self.n_trials)
                    self._search(tuner, search, metrics, evaluate_candidates)
                    self.trials_ = tuner.study.trials()
                    self.model_calls_ = tuner.study.ledger.calls()
                finally:
                    tuner.study.close()

    def _search(
        self,
        tuner: Tuner,
        search: SearchSpace,
        metrics: Mapping[str, str],
        evaluate_candidates: Callable[..., dict[str, Any]],
    ) -> None:
        rounds, done = self._rounds, 0
        results: dict[str, Any] = {}
        errors: list[ValueError] = []
        while done < self.n_trials:
            at_once = max(1, effective_n_jobs(self.n_jobs) // rounds.n_splits) if rounds.n_splits else 1
            tuner.planner.workers = at_once
            trials = _asked(tuner, min(at_once, self.n_trials - done))
            if not trials:
                break
            params = [search.params(t.config) for t in trials]
            more = {"source": [t.source for t in trials], "rationale": [t.rationale for t in trials]}
            try:
                results = evaluate_candidates(params, more_results=more)
            except ValueError as e:
                if _ALL_FAILED not in str(e):
                    raise
                rounds.failed(done, params, more, str(e))
                errors.append(e)
            for i, t in enumerate(trials):
                self._tell(tuner, t, done + i, results, metrics)
            done += len(trials)
        if errors and not results:
            raise errors[0]  # as scikit-learn does where no fit at all succeeded
        for error in errors:
            warnings.warn(str(error), FitFailedWarning, stacklevel=2)
        # the caller holds this very mapping as its results: the last rounds may have failed and be missing from it
        final = super()._format_results(*rounds.whole())
        results.clear()
        results.update(final)

    def _format_results(self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None) -> Any:
        """scikit-learn's table, with the candidates of failed rounds in their places."""
        self._rounds.take(candidate_params, n_splits, out, more_results or {})
        with warnings.catch_warnings():  # said once, of the final table
            warnings.filterwarnings("ignore", message="One or more of the", category=UserWarning)
            return super()._format_results(*self._rounds.whole())

    def _tell(self, tuner: Tuner, t: Trial, place: int, results: Mapping[str, Any], metrics: Mapping[str, str]) -> None:
        error = self._rounds.errors.get(place)
        if error is not None:
            last = error.strip().splitlines()[-1]
            tuner.tell(t, status="oom" if last.startswith("MemoryError") else "crashed", detail=error)
            return
        missing = [name for name in metrics if f"mean_test_{name}" not in results]
        if missing:
            scored = [key.removeprefix("mean_test_") for key in results if key.startswith("mean_test_")]
            raise CardError(f"the scoring gives {', '.join(scored)}, not {', '.join(missing)}", "name one as refit")
        seconds = (results["mean_fit_time"][place] + results["mean_score_time"][place]) * self._rounds.n_splits
        values = {ours: float(results[f"mean_test_{name}"][place]) for name, ours in metrics.items()}
        tuner.tell(t, values, telemetry={"seconds": float(seconds)})

    # -- the task ------------------------------------------------------------------------------------------------

    def _metrics(self, search: SearchSpace) -> dict[str, str]:
        """scikit-learn's names of the scores that are tuned, and ours."""
        many = not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring))
        if isinstance(self.refit, str) and (many or callable(self.scoring)):
            names = [self.refit]
        else:
            names = list(self._get_scorers()[0]._scorers) if many else ["score"]
        found = identifiers(names, search.space.names)
        if isinstance(self.scoring, str) and self.scoring not in search.space:
            found["score"] = self.scoring
        return found

    def _card(self, search: SearchSpace, metrics: Mapping[str, str]) -> TaskCard:
        return TaskCard(
            goal=self.goal.strip() or _title(self.estimator),
            space=search.space,
            metrics=[{"name": name, "direction": "maximize"} for name in metrics.values()],
            known=list(self.known),
            budget={"trials": int(self.n_trials)},
            data=self._data,
        )


def _refuse_recorded(card: TaskCard, storage: str) -> None:
    try:
        known = Study.names(storage)
    except StudyError:  # there is no record yet, or what is wrong is said where it is opened
        return
    if card.name in known:
        raise StudyError(
            f"{Address.of(storage).shown} holds a study {card.name!r} already",
            "a fit starts anew: give another storage or goal",
        )


def _described(X: Any, y: Any) -> Dataset | None:
    """Statistics of the data for the model; None where there is no table to take them of (sparse rows, texts, few)."""
    try:
        return Dataset.of(X, y)
    except TunerError:
        return None


class _Rounds:
    """The rounds of one fit: what scikit-learn has kept of them, and the failed ones, which it has not."""

    def __init__(self, error_score: Any) -> None:
        self.errors: dict[int, str] = {}
        """Place of a candidate -> what its first failed fit said."""
        self.n_splits = 0
        self._error_score = error_score
        self._failed: dict[int, tuple[dict[str, Any], dict[str, str]]] = {}
        self._taken: tuple[Any, int, Any, Mapping[str, Any]] = ([], 0, [], {})

    def failed(self, first: int, params: Sequence[dict[str, Any]], more: Mapping[str, list[str]], error: str) -> None:
        """Keep a round of which every fit failed; `first` is the place of its first candidate."""
        for i, one in enumerate(params):
            self._failed[first + i] = one, {key: values[i] for key, values in more.items()}
            self.errors[first + i] = error

    def take(self, params: Any, n_splits: int, out: Any, more: Mapping[str, Any]) -> None:
        """Take in what scikit-learn has so far."""
        self._taken, self.n_splits = (params, n_splits, out, more), n_splits
        places = [place for place in range(len(params) + len(self._failed)) if place not in self._failed]
        for k, place in enumerate(places):
            said = [fold["fit_error"] for fold in out[k * n_splits : (k + 1) * n_splits] if fold["fit_error"]]
            if said:
                self.errors[place] = said[0]

    def whole(self) -> tuple[list[Any], int, list[Any], dict[str, list[Any]]]:
        """All candidates, the number of folds, the outcome of each fit, and the further columns."""
        params, n_splits, out, more = self._taken
        params, out, columns = list(params), list(out), {key: list(values) for key, values in more.items()}
        for place, (one, told) in sorted(self._failed.items()):
            params.insert(place, one)
            out[place * n_splits : place * n_splits] = [self._nothing(out[0])] * n_splits
            for key, value in told.items():
                columns[key].insert(place, value)
        return params, n_splits, out, columns

    def _nothing(self, like: Mapping[str, Any]) -> dict[str, Any]:
        """The outcome of a failed fit, in the form of another fit's outcome."""

        def error(scores: Any) -> Any:
            return dict.fromkeys(scores, self._error_score) if isinstance(scores, dict) else self._error_score

        scores = {key: error(like[key]) for key in ("test_scores", "train_scores") if key in like}
        return {**like, **scores, "fit_time": np.nan, "score_time": np.nan}


def _asked(tuner: Tuner, n: int) -> list[Trial]:
    """The next n trials, fewer at the end of the space."""
    trials: list[Trial] = []
    while len(trials) < n:
        try:
            trials.append(tuner.ask())
        except StudyError:
            if tuner.stopped is None:
                raise
            break
    return trials


def _title(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    return " + ".join(type(step).__name__ for _, step in steps) if steps else type(estimator).__name__
