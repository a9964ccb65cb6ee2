"""What the verbs work on: a project's folder, its record, the current study, the runs in the background."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from tunewright.card import TaskCard
from tunewright.errors import StudyError, did_you_mean
from tunewright.events import Event
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat
from tunewright.loop import Tuner
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright.verbs.approval import Approver, Never
from tunewright.verbs.context import grant
from tunewright.verbs.listening import Heard, Listener
from tunewright.verbs.paths import project_file
from tunewright.verbs.running import Run

_CLOSING_S = 25.0


def _fresh(study: Study) -> bool:
    """Whether the study's card is still the one on record; another process may have changed or deleted it."""
    try:
        return bool(study.get("card") == study.card.to_json())
    except (StudyError, KeyError):
        return False


class Session:
    """A project in which studies are set up, run and looked at. Verbs may be called from several threads.

    Several sessions, in other processes too, may work on one record: each trial is taken up once. Only a run that
    this session started can be stopped by it.

    Args:
        root: the project's folder; no verb reads a file outside of it and of the studies' folders.
        storage: the record, an SQLite or PostgreSQL URL; `ROOT/tunewright.db` unless given.
        model: that proposes configurations: "local", "openai/NAME", "PROVIDER/NAME", a `Chat`, or None for none.
        approver: says yes or no to what spends or deletes; `Never` unless given.
        folder: where the studies' folders lie; `ROOT/runs` unless given.
        trusted_tools: whether the model that calls verbs may ask to spend or delete at all; that of `model` unless
            given, and False for the local one.
        base_url: of an OpenAI-compatible server.
        prices: a price table that goes before ours.
        seed: of new studies.
        workers: trials that run at once, unless a call says otherwise.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        storage: str | None = None,
        model: str | Chat | None = None,
        approver: Approver | None = None,
        *,
        folder: str | PathLike[str] | None = None,
        trusted_tools: bool | None = None,
        base_url: str | None = None,
        prices: Any = None,
        seed: int | None = None,
        workers: int = 1,
    ) -> None:
        self.root = Path(root).resolve(strict=True)
        self.storage = f"sqlite:///{self.root / 'tunewright.db'}" if storage is None else storage
        self.folder = (self.root / "runs" if folder is None else Path(folder)).resolve()
        self.approver: Approver = Never() if approver is None else approver
        self.model = None if model == "none" else model
        self.base_url = base_url
        self.prices = prices
        self.seed = seed
        self.workers = workers
        self.current: str | None = None
        """The study that a verb means when it names none."""
        self.changing = threading.RLock()
        """Held while a verb changes something."""
        self.words: str | None = None
        """What the person said in this turn; None where that is not heard, as by an MCP server."""
        self.spoken_of: str | None = None
        """The study that was the current one when the person said it."""
        self.known_commands: set[str] = set()
        """Commands that a person has approved, or brought along, in this session."""
        self._trusted = trusted_tools
        self._chat: Chat | None = None
        self._studies: dict[str, Study] = {}
        self._runs: dict[str, Run] = {}
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._own = self.listen()

    @property
    def trusted_tools(self) -> bool:
        """Whether the model that calls verbs may ask to spend or delete."""
        if self._trusted is not None:
            return self._trusted
        return self.model != "local" if self.model is None or isinstance(self.model, str) else self.model.trusted_tools

    def chat(self) -> Chat | None:
        """The model that proposes, opened once and closed with the session; None for none."""
        with self._lock:
            if self._chat is None and self.model is not None:
                self._chat = open_chat(self.model, base_url=self.base_url, prices=self.prices)
            return self._chat

    @contextmanager
    def hearing(self, words: str) -> Iterator[None]:
        """A turn in which a person said these words, of the study that is the current one now."""
        self.words, self.spoken_of = words, self.current
        try:
            yield
        finally:
            self.words = self.spoken_of = None

    def file(self, text: str, argument: str, *suffixes: str) -> Path:
        """A file of the project; raises `paths.Outside` for any other."""
        return project_file(self.root, text, argument, suffixes)

    # -- studies -------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The studies on record, oldest first; none where there is no record yet."""
        from tunewright.storage import Address

        path = Address.of(self.storage).path
        return [] if path is not None and not path.exists() else Study.names(self.storage)

    def study(self, name: str | None = None) -> Study:
        """A study as it stands on record, the current one unless named.

        Raises:
            StudyError: there is none of that name, or no current one.
        """
        wanted = name or self.current or self._only()
        with self._lock:
            known = self._studies.get(wanted)
            if known is not None and _fresh(known):
                return known
            self._studies.pop(wanted, None)
            found = self.names()
            if wanted not in found:
                raise StudyError(
                    f"there is no study {wanted!r}",
                    f"{did_you_mean(wanted, found)}the studies are {', '.join(found) or 'none yet: set one up'}",
                )
            self._studies[wanted] = Study.load(self.storage, wanted)
            return self._studies[wanted]

    def _only(self) -> str:
        found = self.names()
        if len(found) != 1:
            raise StudyError(
                "no study was named and none is current",
                f"name one of {', '.join(found)}" if found else "set one up first",
            )
        return found[0]

    def open(self, card: TaskCard) -> Study:
        """The study of a card, made where it is not there yet; it becomes the current one."""
        with self._lock:
            study = Study.open(card, self.storage, seed=self.seed)
            self._studies[card.name] = study
            self.current = card.name
            return study

    def forget(self, name: str) -> None:
        """Let go of a study that was renamed or deleted."""
        with self._lock:
            study = self._studies.pop(name, None)
            if study is not None:
                study.close()
            if self.current == name:
                self.current = None

    def revise(self, study: Study, card: TaskCard) -> bool:
        """Put a changed card on record; True when a run will take it up once its present trials have ended."""
        study.revise(card)
        run = self.run_of(study.name)
        if run is not None:
            run.take(card)
        return run is not None

    def trial_folder(self, study: Study, trial: Trial) -> Path:
        """Where one attempt at a trial keeps its files."""
        return self.folder / study.name / f"{trial.number:05d}-{trial.attempt}"

    # -- runs ----------------------------------------------------------------------------------------------------

    def start(self, study: Study, trials: int, workers: int | None = None) -> Run:
        """A run of so many further trials in the background, drawing on what was granted to this call.

        Raises:
            TunerError: nothing was granted, the study runs already, the tool or the model cannot be used.
        """
        request = grant()
        with self._lock:
            self.refuse_second_run(study.name)
            meter, last = self.approver.meter(request), self._runs.get(study.name)

            def opened(card: TaskCard) -> Tuner:
                return Tuner(card, self.chat(), self.storage, workers=workers or self.workers, folder=self.folder)

            tuner = opened(study.card)
            waiting = {entry.number for entry in tuner.study.queue() if entry.number is not None}
            counted = sum(t.number not in waiting for t in tuner.study.trials())
            run = Run(
                tuner,
                opened,
                limit=counted + trials,
                asked=trials,
                announce=lambda event: self._announce(study.name, event),
                meter=meter,
                counted_usd=None if meter is None or last is None else last.counted_usd,
            )
            if request.command is not None:
                self.known_commands.add(request.command)
            self._runs[study.name] = run
            run.start()
            return run

    def refuse_second_run(self, name: str) -> None:
        """Raise `StudyError` while the study runs in this session."""
        if self.run_of(name) is not None:
            raise StudyError(f"the study {name!r} is running", "wait until it ends, or stop it first")

    def run_of(self, name: str) -> Run | None:
        """The run of a study that has not ended; None when there is none."""
        run = self._runs.get(name)
        return run if run is not None and run.active else None

    def last_run(self, name: str) -> Run | None:
        """The latest run of a study in this session, ended or not."""
        return self._runs.get(name)

    def runs(self) -> list[Run]:
        """The runs that have not ended."""
        return [run for run in list(self._runs.values()) if run.active]

    # -- events --------------------------------------------------------------------------------------------------

    def listen(self) -> Listener:
        """A listener that gets every event of every run from now on."""
        with self._lock:
            self._listeners.append(Listener())
            return self._listeners[-1]

    def ignore(self, listener: Listener) -> None:
        """Hand no more events to a listener."""
        with self._lock:
            self._listeners = [other for other in self._listeners if other is not listener]

    def drain(self) -> list[Heard]:
        """Events since the last call; never waits."""
        return self._own.drain()

    def events(self) -> Iterator[Heard]:
        """Events as they come, until no run of this session is left and all were given."""
        while True:
            active = bool(self.runs())
            heard = self._own.wait(0.2 if active else 0.0)
            if heard is not None:
                yield heard
            elif not active:
                return

    def _announce(self, study: str, event: Event) -> None:
        for listener in list(self._listeners):
            listener.put(Heard(study, event))

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop every run, let go of the record and the model; trials that are cut short are in line to run again."""
        for run in self.runs():
            run.stop(now=True)
        for run in self.runs():
            run.wait(_CLOSING_S)
        with self._lock:
            for study in self._studies.values():
                study.close()
            self._studies.clear()
            if self._chat is not None and self._chat is not self.model:  # a `Chat` that was handed in is its owner's
                self._chat.close()
            self._chat = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
