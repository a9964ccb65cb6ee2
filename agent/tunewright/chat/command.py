"""`tunewright chat`: which front end, which approval, which model."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.errors import CardError

if TYPE_CHECKING:
    from tunewright.chat.desk import Desk
    from tunewright.chat.lines import Lines
    from tunewright.chat.screen import Screen


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    card: Path | None = None
    model: str | None = "local"
    base_url: str | None = None
    storage: str | None = None
    folder: Path = Path("runs")
    workers: int = 1
    root: Path = Path(".")
    yes: bool = False
    trials: int | None = None
    hours: float | None = None
    usd: float | None = None
    """The last three: a stated budget."""


def chat(options: Options) -> None:
    """Talk until the person leaves, on a terminal or over pipes.

    Raises:
        TunerError: the options, the card or the record cannot be used.
    """
    if options.card is not None and not options.card.is_file():
        raise CardError(f"there is no card {options.card}", "name a YAML file, or leave it out")
    if not options.root.is_dir():
        raise CardError(f"--root is {options.root}, which is no folder", "name the project's folder")
    if options.yes and (options.trials, options.hours, options.usd) != (None, None, None):
        raise CardError("--yes and a budget were given together", "keep one: --yes approves without any limit")

    def opened(front: "Screen | Lines") -> "Desk":
        return open_desk(options, front)

    if sys.stdin.isatty() and sys.stdout.isatty():
        try:
            from tunewright.chat.screen import Screen

            Screen(opened).run()
        except ModuleNotFoundError as e:
            if e.name is None or e.name.split(".")[0] != "prompt_toolkit":
                raise
            raise CardError("the chat on a terminal needs prompt_toolkit", "pip install 'tunewright[chat]'") from e
    else:
        from tunewright.chat.lines import Lines

        Lines(opened).run()


def open_desk(options: Options, front: "Screen | Lines") -> "Desk":
    """The session behind a front end, its study open and greeted."""
    from tunewright.chat.desk import Desk
    from tunewright.verbs import Ask, Session
    from tunewright.verbs.consent import approver

    who = approver(Ask(front.ask), yes=options.yes, trials=options.trials, hours=options.hours, usd=options.usd)
    session = Session(
        options.root,
        options.storage,
        options.model,
        who,
        folder=options.folder,
        base_url=options.base_url,
        workers=options.workers,
    )
    try:
        talks = session.model is not None and session.trusted_tools
        desk = Desk(session, front, session.chat() if talks else None)
        desk.open(options.card)
    except BaseException:
        session.close()
        raise
    return desk
