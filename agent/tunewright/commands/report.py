"""`tunewright report`: what a study found and who found it."""

import typer

from tunewright.commands.common import STORAGE, JsonOption, StorageOption, StudyArgument, print_report


def report(study: StudyArgument = None, storage: StorageOption = STORAGE, as_json: JsonOption = False) -> None:
    """Say what a study found: `show` without its list of trials; what a run prints at its end."""
    from tunewright.study import Study

    opened = Study.load(storage, study)
    if as_json:
        from dataclasses import asdict

        from tunewright.report import json_text
        from tunewright.report import report as found

        typer.echo(json_text(asdict(found(opened)), indent=2))
    elif not opened.trials():
        typer.echo(f"no trial of {opened.name} has started yet")
    else:
        print_report(opened)
