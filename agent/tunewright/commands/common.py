"""What several commands share: options, the report of a study, what ends a program from outside, text for a file."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tunewright.errors import CardError

if TYPE_CHECKING:
    from rich.console import Console

    from tunewright.study import Study

STORAGE = "sqlite:///tunewright.db"

Card = Annotated[Path, typer.Argument(help="The card: a YAML file with goal, metrics, space and tool.", metavar="CARD")]
StorageOption = Annotated[str, typer.Option("--storage", help="The record: an SQLite or PostgreSQL URL.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
BaseUrlOption = Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")]
PricesOption = Annotated[Path | None, typer.Option(help="Your price table (YAML); it goes before ours.")]
WorkersOption = Annotated[int, typer.Option(help="Trials that run at once.", min=1)]
FolderOption = Annotated[Path, typer.Option(help="Where each trial's own folder lies.")]
RootOption = Annotated[Path, typer.Option(help="The project: scripts and cards are read from here, nothing outside.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Approve all that spends or deletes, without being asked.")]
BudgetTrials = Annotated[
    int | None,
    typer.Option(
        help="Approve up to so many trials without being asked, once their command has run or was approved.", min=1
    ),
]
BudgetHours = Annotated[
    float | None, typer.Option(help="Approve up to so many hours of trials without being asked; as --budget-trials.")
]
BudgetUsd = Annotated[float | None, typer.Option(help="Approve model calls up to so many US dollars.")]
StudyArgument = Annotated[str | None, typer.Argument(help="Name of the study; not needed when there is only one.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")]


def model_of(text: str) -> str | None:
    """The model that `--model` names; None for "none"."""
    return None if text.lower() == "none" else text


def end_on_signals() -> None:
    """Let SIGTERM (143) and a closed terminal (129) end the program as Ctrl-C does, with what was started wound down.

    Where SIGHUP is ignored, as under `nohup`, it stays so.
    """

    def ended(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, ended)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, ended)


def plain_console(piped: int) -> "Console":
    """Where tables are printed: in a pipe, which has no width of its own, `piped` columns wide."""
    from rich.console import Console

    # values are a person's own: "[/]" and ":x:" are no markup
    width = None if sys.stdout.isatty() else piped
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_report(study: "Study") -> None:
    """Print the best against the default, what each source did and what it took; nothing before the first trial."""
    from tunewright.attempts import no_best
    from tunewright.report import earlier_lines, model_line, report
    from tunewright.tables import best_table, confirmation_table, front_table, ledger_table

    if not study.trials():
        return
    rep = report(study)
    console = plain_console(120)
    if rep.best is None:
        console.print(f"No trial of {rep.name} has {no_best(study.card)} yet.")
    if rep.best is not None or rep.default is not None:
        console.print(best_table(rep))
    if rep.front is not None:
        console.print(front_table(rep.front))
    console.print(ledger_table(rep))
    for line in earlier_lines(rep):
        console.print(line)
    console.print(model_line(rep))
    if rep.confirmation is not None:
        console.print(confirmation_table(rep.confirmation))
        console.print(rep.confirmation.verdict.text)


def check_out(out: Path | None) -> None:
    """Raise `CardError` where the file could not be written, before anything is spent on its text."""
    if out is None:
        return
    if out.is_dir():
        raise CardError(f"--out is {out}, a folder", "name a file in it")
    if not out.resolve().parent.is_dir():
        raise CardError(f"--out is {out}, whose folder does not exist", "make the folder, or name another file")
    if not os.access(out if out.exists() else out.resolve().parent, os.W_OK):
        raise CardError(f"--out is {out}, which may not be written", "name a file in a folder of yours")


def write_out(text: str, out: Path | None, what: str) -> None:
    """Print the text, or write it to the file and say so."""
    text = text.rstrip("\n")
    if out is None:
        typer.echo(text)
    else:
        try:
            out.write_text(text + "\n", encoding="utf-8")
        except OSError as e:
            raise CardError(f"--out {out} cannot be written: {e.strerror}", "name another file") from None
        typer.echo(f"wrote {what} to {out}", err=True)
