"""`tunewright warmstart`: points to try first, for any optimizer."""

import json
from typing import Annotated

import typer

from tunewright.commands.common import (
    BaseUrlOption,
    Card,
    JsonOption,
    OutOption,
    PricesOption,
    check_out,
    model_of,
    write_out,
)
from tunewright.errors import CardError


def warmstart(
    card: Card,
    n: Annotated[int, typer.Option("-n", "--points", help="Points wanted.", min=1)] = 5,
    model: Annotated[
        str, typer.Option(help="local, openai/NAME, PROVIDER/NAME, or none for the textbook alone.")
    ] = "local",
    base_url: BaseUrlOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="In the words of another optimizer: json, optuna, sklearn, ray, smac, ax, nevergrad, hyperopt, "
            "syne_tune, skopt or flaml.",
            metavar="TARGET",
        ),
    ] = None,
    out: OutOption = None,
    prices: PricesOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the request and of what is drawn.", min=0)] = 0,
    textbook: Annotated[
        bool, typer.Option("--textbook/--no-textbook", help="Tell and fill up from literature values.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Print points to try first, from a model and the textbook, for any optimizer."""
    from tunewright.card import TaskCard
    from tunewright.export import TARGETS, check_target
    from tunewright.export import to as exported

    # all that can be wrong is looked at before the model is asked
    if to is not None:
        check_target(to)
    if to is not None and as_json:
        raise CardError("--to and --json were given together", "choose one of them; --to json holds the space too")
    if out is not None and to is None and not as_json:
        raise CardError("--out was given without a form", f"add --json, or --to with one of {', '.join(TARGETS)}")
    check_out(out)
    loaded = TaskCard.load(card)
    from tunewright.zero_shot import warmstart as made

    points = made(loaded, n, model_of(model), base_url=base_url, prices=prices, seed=seed, textbook=textbook)
    if to is not None:
        text = exported(to, points, loaded)
    else:
        text = json.dumps(points.to_json(), indent=2, allow_nan=False) if as_json else points.text()
    write_out(text, out, f"{len(points)} points")
    typer.echo("\n".join(points.remarks()), err=True)
