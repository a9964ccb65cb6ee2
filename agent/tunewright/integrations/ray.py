"""`TunewrightSearcher`: a search algorithm for Ray Tune."""

import json
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

try:
    from ray.tune.search import Searcher
    from ray.tune.utils.util import flatten_dict, unflatten_dict
except ModuleNotFoundError as e:
    raise ModuleNotFoundError(f"the searcher needs Ray Tune ({e}): pip install 'tunewright[ray]'", name=e.name) from e

from tunewright.card import TaskCard
from tunewright.errors import CardError, StudyError
from tunewright.integrations.foreign import Foreign, identifiers
from tunewright.integrations.ray_space import read_param_space
from tunewright.llm.base import Chat
from tunewright.loop import Tuner
from tunewright.parameters import Parameter
from tunewright.space import Space
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright_tools.measured import is_measured

_RENEW_S = 60.0
_HERE = ("_tuner", "_folder", "_live", "_restored", "_renewed")
"""What does not leave the process."""
_OURS = "ray/"
"""Prefix of the study's attributes that say which of its trials is which of Ray's."""


class TunewrightSearcher(Searcher):  # type: ignore[misc]
    """Tunewright as a `search_alg` of `ray.tune.TuneConfig`.

    The first trial is the default of the space, the next are the model's, then a surrogate chooses among what the
    model proposes and what it finds itself. Trials that Ray runs at once count as running; limit them with
    `ConcurrencyLimiter` or `max_concurrent_trials`, since a trial that is suggested early knows little. A trial that
    raised an error is a failed one; one that Ray ended without a result is pruned, and no failure.

    Args:
        space: a `Space`, a list of parameters, or a Tune `param_space`; the one of `tune.Tuner` unless given. Names
            with a slash become nested mappings, as in Ray.
        metric: name in the reported result, or a list of them; that of `TuneConfig` unless given.
        mode: "min" or "max", or a list of them.
        goal: what is tuned and what for, in the words that a colleague would need; a model needs it.
        model: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for the surrogate alone.
        card: all of the task, in place of goal, space, metric and mode.
        storage: where the trials are recorded (an SQLAlchemy URL); a study of that name there goes on. None keeps
            them in a file of this searcher's own, which `save` copies whole.
        seed: of everything random.
        max_t: training iterations of a whole trial: one that ends before them was stopped by the scheduler and is
            pruned. None: the last result of each trial counts.
        base_url: of an OpenAI-compatible server.

    Raises:
        CardError: a model without a goal, or a card beside what stands on it.
    """

    _metric: Any
    _mode: Any

    def __init__(
        self,
        space: Any = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        *,
        goal: str = "",
        model: str | Chat | None = "local",
        card: TaskCard | None = None,
        storage: str | None = None,
        seed: int | None = None,
        max_t: int | None = None,
        base_url: str | None = None,
    ) -> None:
        if card is not None:
            if space is not None or metric is not None or mode is not None or goal:
                raise CardError("a card was given beside goal, space, metric or mode", "write them on the card")
            names = [m.name for m in card.metrics]
            modes = [m.direction[:3] for m in card.metrics]
            metric, mode = (names[0], modes[0]) if len(names) == 1 else (names, modes)
            space = card.space
        elif model is not None and not goal.strip():
            raise CardError(
                f"the model {model!r} has no goal to think about", "say what is tuned: goal=..., or model=None"
            )
        super().__init__(metric=metric, mode=mode)
        self.goal = goal
        self.card = card
        self._foreign: list[Foreign] | None = None
        self._fixed: dict[str, Any] = {}
        if space is not None:
            self._foreign, self._fixed = _read(space)
        self._relations = [r.text for r in space.relations] if isinstance(space, Space) else []
        self._model, self._base_url = model, base_url
        self._storage, self._seed, self._max_t = storage, seed, max_t
        self._fresh()

    def _fresh(self) -> None:
        self._tuner: Tuner | None = None
        self._folder: Path | None = None
        self._live: dict[str, Trial] = {}
        self._restored: set[str] = set()
        self._renewed = 0.0

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles the searcher before the run; the record itself travels by `save`
        return {k: v for k, v in self.__dict__.items() if k not in _HERE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._fresh()

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:
        """Whether Ray's `param_space`, metric and mode were taken over; False where the searcher has its own space."""
        if self._foreign is not None:
            if config and any(read_param_space(config, partly=True)):
                return False
        else:
            self._foreign, self._fixed = read_param_space(config)
        self._metric = self._metric or metric
        self._mode = self._mode or mode
        return True

    # -- one trial -----------------------------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The configuration of Ray's next trial; "FINISHED" where the space holds no more."""
        tuner = self._opened()
        if trial_id not in self._live:
            tuner.planner.workers = len(self._live) + 1
            try:
                trial = tuner.ask()
            except StudyError:
                if tuner.stopped is None:
                    raise
                return str(Searcher.FINISHED)
            self._live[trial_id] = trial
            tuner.study.set(_OURS + trial_id, [trial.number, trial.attempt])
        assert self._foreign is not None
        ours = {f.parameter.name: f for f in self._foreign}
        config = self._live[trial_id].config
        chosen = {ours[n].name: ours[n].theirs(v) for n, v in config.items()}
        found: dict[str, Any] = unflatten_dict({**self._fixed, **chosen})
        return found

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep the leases of what runs, so that no other process takes it for lost."""
        if (self._live or self._restored) and time.monotonic() - self._renewed > _RENEW_S:
            self._renewed = time.monotonic()
            study = self._opened().study
            study.renew(list(self._live.values()))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record how a trial ended."""
        tuner = self._opened()  # first: of a restored run, this takes the running trials over
        trial = self._live.pop(trial_id, None)
        if trial is None:
            return  # told before, or not ours
        flat = flatten_dict(result) if result else {}
        seconds = flat.get("time_total_s")
        telemetry = None if seconds is None else {"seconds": float(seconds)}
        wanted = self._reported(tuner.card)
        needed = [m.name for m in tuner.card.metrics]
        needed += [c.metric for c in tuner.card.constraints if not is_measured(c.metric)]
        early = self._max_t is not None and flat.get("training_iteration", self._max_t) < self._max_t
        if error:
            tuner.tell(trial, status="crashed", telemetry=telemetry, detail="Ray reports an error in the trial")
        elif early or any(flat.get(wanted[name]) is None for name in needed):
            tuner.tell(trial, status="pruned", telemetry=telemetry)
        else:
            values = {ours: flat[theirs] for ours, theirs in wanted.items() if flat.get(theirs) is not None}
            tuner.tell(trial, values, telemetry=telemetry)

    # -- the study -----------------------------------------------------------------------------------------------

    def _opened(self) -> Tuner:
        if self._tuner is None:
            card, storage = self._card(), self._address()
            self._live = self._taken_over(card, storage) if self._restored else {}
            self._tuner = Tuner(card, self._model, storage, seed=self._seed, base_url=self._base_url)
        return self._tuner

    def _taken_over(self, card: TaskCard, storage: str) -> dict[str, Trial]:
        """The restored trials that ran when their process ended, leased to this one: Ray runs them again itself."""
        study = Study.open(card, storage)
        try:
            running = {(t.number, t.attempt): t for t in study.trials() if t.running}
            ids = {key.removeprefix(_OURS): tuple(value) for key, value in study.attributes(_OURS).items()}
            found = {i: running[ids[i]] for i in self._restored if ids.get(i) in running}
            study.renew(list(found.values()))
        finally:
            study.close()
        return found

    def _card(self) -> TaskCard:
        if self.card is not None:
            return self.card
        if self._foreign is None:
            raise CardError("the searcher has no space", "give tune.Tuner a param_space, or the searcher a space")
        names, modes = _listed(self._metric), _listed(self._mode)
        if not names or len(names) != len(modes) or any(mode not in ("min", "max") for mode in modes):
            raise CardError(
                f"metric is {self._metric!r} and mode is {self._mode!r}",
                'name what a trial reports and "min" or "max", here or in TuneConfig',
            )
        space = Space(*(f.parameter for f in self._foreign), relations=self._relations)
        ours = identifiers(names, space.names)
        return TaskCard(
            goal=self.goal.strip() or "Ray Tune",
            name="ray",
            space=space,
            metrics=[{"name": ours[n], "direction": f"{mode}imize"} for n, mode in zip(names, modes, strict=True)],
        )

    def _reported(self, card: TaskCard) -> dict[str, str]:
        """Our name of each metric and bounded result, and the name under which Ray reports it."""
        bounded = {c.metric: c.metric for c in card.constraints}
        return bounded | dict(zip([m.name for m in card.metrics], _listed(self._metric), strict=True))

    def _address(self) -> str:
        return self._storage or f"sqlite:///{self._file()}"

    def _file(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tunewright-ray-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder / "searcher.db"

    # -- save and restore ----------------------------------------------------------------------------------------

    def save(self, checkpoint_path: str) -> None:
        """Write the record to a file or, where it is kept in a storage of its own, which trials run."""
        study = self._opened().study
        if self._storage is not None:
            Path(checkpoint_path).write_text(json.dumps({"study": study.name, "running": list(self._live)}))
            return
        study.set("ray running", list(self._live))
        with closing(sqlite3.connect(self._file())) as here, closing(sqlite3.connect(checkpoint_path)) as there:
            here.backup(there)

    def restore(self, checkpoint_path: str) -> None:
        """Go on from what `save` wrote; trials that ran then are running still, as Ray runs them again.

        Raises:
            StudyError: it was written by a searcher with another storage.
        """
        content = Path(checkpoint_path).read_bytes()
        own = content.startswith(b"SQLite format 3")
        if own is not (self._storage is None):
            raise StudyError(
                f"{checkpoint_path} is of a searcher {'without' if own else 'with'} a storage",
                "give the searcher the storage that it had when it was saved",
            )
        self.close()
        if not own:
            self._restored = set(json.loads(content)["running"])
            return
        self._folder = None
        self._file().write_bytes(content)
        study = Study.load(self._address())
        self._restored = set(study.get("ray running"))
        study.close()

    def close(self) -> None:
        """Let go of the model and the record; the searcher opens them again when it is used."""
        if self._tuner is not None:
            self._tuner.study.close()
            self._tuner.close()
            self._tuner = None
            self._live = {}


def _listed(given: Any) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _read(space: Any) -> tuple[list[Foreign], dict[str, Any]]:
    if isinstance(space, Mapping):
        return read_param_space(space)
    if isinstance(space, Space) or all(isinstance(p, Parameter) for p in space):
        return [Foreign(p.name, p) for p in space], {}
    raise CardError(f"the space is {type(space).__name__}", "give a Space, a list of parameters, or a param_space")
