"""`tunewright run`: tune what a card describes."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.clean import clean
from tunewright.commands.common import (
    STORAGE,
    BaseUrlOption,
    Card,
    FolderOption,
    JsonOption,
    PricesOption,
    StorageOption,
    WorkersOption,
    end_on_signals,
    model_of,
    print_report,
)

if TYPE_CHECKING:
    from tunewright.loop import Tuner


def run(
    card: Card,
    trials: Annotated[
        int | None, typer.Option(help="Trials of the whole study, those on record included.", min=1)
    ] = None,
    model: Annotated[
        str, typer.Option(help="local, openai/NAME, PROVIDER/NAME, or none for the surrogate alone.")
    ] = "local",
    base_url: BaseUrlOption = None,
    storage: StorageOption = STORAGE,
    workers: WorkersOption = 1,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random; a study keeps its first one. [0]", min=0)
    ] = None,
    folder: FolderOption = Path("runs"),
    prices: PricesOption = None,
    earlier: Annotated[
        list[str] | None,
        typer.Option(help="Trials of an earlier study: a CSV file, URL or NAME@URL; repeatable.", metavar="SOURCE"),
    ] = None,
    branch: Annotated[
        bool, typer.Option("--branch", help="Where the card fits the study no more, open its child NAME.2.")
    ] = False,
    textbook: Annotated[
        bool | None,
        typer.Option(
            "--textbook/--no-textbook",
            help="Points from literature values, where they are known for most parameters; on where a model is named.",
        ),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="Stop runs early, in place of the card's: curve, median, successive_halving, hyperband, ... or none.",
            metavar="NAME",
        ),
    ] = None,
    confirm: Annotated[
        int | None,
        typer.Option(
            help="Afterwards run the best three and the default again on so many fresh seeds.", metavar="SEEDS", min=1
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the prompt, the first points and the estimated cost; run nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tune what the card describes; run it again to go on where it stopped."""
    from tunewright.card import TaskCard
    from tunewright.toolbox import open_tool

    loaded = TaskCard.load(card)
    if pruner is not None:
        loaded = TaskCard.from_json({**loaded.to_json(), "pruner": pruner})
    tool = open_tool(loaded)  # here, since a tuner may do without: before a study is made that nothing can run
    asked = model_of(model)
    if dry_run:
        from tunewright.preview import preview

        shown = preview(
            loaded,
            asked,
            base_url=base_url,
            prices=prices,
            trials=trials,
            seed=seed or 0,
            earlier=earlier or (),
            textbook=textbook,
        )
        typer.echo(json.dumps(shown.to_json(), indent=2) if as_json else clean(shown.text()))
        return
    from tunewright.loop import Tuner

    end_on_signals()
    with Tuner(
        loaded,
        asked,
        storage,
        seed,
        workers=workers,
        tool=tool,
        folder=folder,
        base_url=base_url,
        prices=prices,
        earlier=earlier or (),
        branch=branch,
        textbook=textbook,
    ) as tuner:
        if tuner.card.name != loaded.name:
            typer.echo(f"the study is {tuner.card.name}, a child of {loaded.name}", err=True)
        for one in tuner.taken_in:
            typer.echo(one.summary(), err=True)
        try:
            _listener(tuner, trials, as_json).show(tuner.events(trials=trials))
            if confirm is not None:
                _confirm(tuner, confirm, as_json)
        finally:
            if not as_json:
                print_report(tuner.study)


def _listener(tuner: "Tuner", trials: int | None, as_json: bool) -> Any:
    from tunewright.live import JsonLines, LiveTable, PlainLines

    if as_json:
        return JsonLines()
    if sys.stdout.isatty():
        from tunewright.report import spent
        from tunewright.stopping import most_trials

        total = most_trials(tuner.card, trials)
        return LiveTable(tuner.card, total, tuner.study.trials(), lambda: spent(tuner.study))
    return PlainLines()


def _confirm(tuner: "Tuner", seeds: int, as_json: bool) -> None:
    from tunewright.live import JsonLines, PlainLines
    from tunewright.report import confirmation_json, json_text

    listener = JsonLines() if as_json else PlainLines()
    listener.show(tuner.confirming(seeds))
    if as_json:
        typer.echo(json_text(confirmation_json(tuner.study)))
