"""`tunewright show`: a study in tables."""

import typer

from tunewright.commands.common import STORAGE, JsonOption, StorageOption, StudyArgument, plain_console, print_report


def show(study: StudyArgument = None, storage: StorageOption = STORAGE, as_json: JsonOption = False) -> None:
    """Show a study: every trial, the best against the default, what each source did."""
    from tunewright.study import Study
    from tunewright.tables import trials_table

    opened = Study.load(storage, study)
    if as_json:
        from tunewright.report import json_text, to_json

        typer.echo(json_text(to_json(opened), indent=2))
        return
    plain_console(160).print(trials_table(opened.card, opened.trials()))
    print_report(opened)
