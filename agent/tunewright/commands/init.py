"""`tunewright init`: from a script to a card."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tunewright.commands.common import BaseUrlOption, JsonOption, PricesOption, model_of


def init(
    script: Annotated[Path, typer.Argument(help="A Python script, or a Hydra or OmegaConf file.", metavar="SCRIPT")],
    fixed: Annotated[
        list[str] | None,
        typer.Argument(help="Behind `--`: arguments that each run gets as they are.", metavar="ARGUMENT"),
    ] = None,
    out: Annotated[Path, typer.Option(help="The card to write.")] = Path("tune.yaml"),
    metric: Annotated[str | None, typer.Option(help="What to improve; else a number that the script prints.")] = None,
    direction: Annotated[str | None, typer.Option(help="minimize or maximize; else told by the name.")] = None,
    goal: Annotated[str | None, typer.Option(help="What is tuned and what for, in a sentence.")] = None,
    subcommand: Annotated[str | None, typer.Option(help="Which one, where the script has several.")] = None,
    model: Annotated[
        str, typer.Option(help="Asked once for ranges and descriptions: as for run; none for the textbook alone.")
    ] = "none",
    base_url: BaseUrlOption = None,
    prices: PricesOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the card if it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented card for a script, which is read and not run."""
    from tunewright.init import propose, read_script, write
    from tunewright.init.write import check_free, summary

    check_free(out, force=force)  # before a model is asked
    draft = propose(
        read_script(script),
        model_of(model),
        goal=goal,
        metric=metric,
        direction=direction,
        subcommand=subcommand,
        fixed=fixed or (),
        base_url=base_url,
        prices=prices,
    )
    write(draft, out, force=force)
    typer.echo(json.dumps({"out": str(out), **draft.to_json()}, indent=2) if as_json else summary(draft, out))
