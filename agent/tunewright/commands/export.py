"""`tunewright export`: a study for other programs."""

from typing import Annotated

import typer

from tunewright.commands.common import STORAGE, OutOption, StorageOption, StudyArgument, check_out, write_out


def export(
    to: Annotated[str, typer.Option(help="csv, json, or an optimizer as for `warmstart`.", metavar="TARGET")],
    study: StudyArgument = None,
    out: OutOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Print a study for other programs: all trials (csv, json), or its configurations, best first, for an optimizer."""
    from tunewright.export.study import study_to
    from tunewright.study import Study

    check_out(out)
    opened = Study.load(storage, study)
    write_out(study_to(to, opened.card, opened.trials()), out, opened.name)
