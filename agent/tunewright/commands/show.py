"""`tunewright show`: a study in tables."""

import json
import sys

import typer

from tunewright.commands.common import STORAGE, JsonOption, StorageOption, StudyArgument, print_report


def show(study: StudyArgument = None, storage: StorageOption = STORAGE, as_json: JsonOption = False) -> None:
    """Show a study: every trial, the best against the default, what each source did."""
    from tunewright.report import trials_table
    from tunewright.study import Study

    opened = Study.load(storage, study)
    if as_json:
        from tunewright.report import to_json

        typer.echo(json.dumps(to_json(opened), indent=2, default=str, allow_nan=False))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(
        trials_table(opened.card, opened.trials())
    )
    print_report(opened)
