"""`tunewright best`: the best configuration, in the form that is asked for."""

from typing import Annotated, Any

import typer

from tunewright.clean import clean
from tunewright.commands.common import STORAGE, JsonOption, StorageOption, StudyArgument
from tunewright.errors import CardError


def best(
    study: StudyArgument = None,
    storage: StorageOption = STORAGE,
    as_args: Annotated[bool, typer.Option("--as-args", help="As command-line arguments.")] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As YAML.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the best configuration; of several metrics, the best by the first one and the Pareto front."""
    from tunewright.attempts import no_best
    from tunewright.errors import StudyError
    from tunewright.report import arguments, front, front_json, json_text
    from tunewright.study import Study

    if as_args + as_yaml + as_json > 1:
        raise CardError("--as-args, --yaml and --json were given together", "choose one of them")
    opened = Study.load(storage, study)
    found = opened.best()
    if found is None or found.outcome is None:
        raise StudyError(
            f"no trial of {opened.name!r} has {no_best(opened.card)} yet", "run it, or look at `tunewright show`"
        )
    if as_args:
        typer.echo(arguments(opened.card, found))
    elif as_yaml:
        import yaml

        typer.echo(yaml.safe_dump(found.config, sort_keys=False).rstrip())
    elif as_json:
        record: dict[str, Any] = {
            "trial": found.number,
            "source": found.source,
            "config": found.config,
            "metrics": found.outcome.metrics,
        }
        if (several := front(opened)) is not None:
            record |= front_json(several)
        typer.echo(json_text(record, indent=2))
    else:
        for name, value in {**found.config, **found.outcome.metrics}.items():
            typer.echo(clean(f"{name}: {value}"))
        if (several := front(opened)) is not None:
            for t in several.trials:
                values = " ".join(f"{name}={value:g}" for name, value in t.outcome.metrics.items()) if t.outcome else ""
                typer.echo(f"front: trial {t.number} {values}")
            typer.echo(f"hypervolume: {several.hypervolume:g}")
