"""`tunewright chat`: talk about studies."""

from pathlib import Path
from typing import Annotated

import typer

from tunewright.commands.common import (
    STORAGE,
    BaseUrlOption,
    BudgetHours,
    BudgetTrials,
    BudgetUsd,
    FolderOption,
    RootOption,
    StorageOption,
    WorkersOption,
    YesOption,
    end_on_signals,
)


def chat(
    card: Annotated[
        Path | None, typer.Argument(help="A card to begin with; else the study on record.", metavar="[CARD]")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Talks and proposes: openai/NAME, PROVIDER/NAME, local or none (both: commands only).")
    ] = "local",
    base_url: BaseUrlOption = None,
    storage: StorageOption = STORAGE,
    folder: FolderOption = Path("runs"),
    workers: WorkersOption = 1,
    root: RootOption = Path("."),
    yes: YesOption = False,
    budget_trials: BudgetTrials = None,
    budget_hours: BudgetHours = None,
    budget_usd: BudgetUsd = None,
) -> None:
    """Talk about studies while their trials run in the background."""
    from tunewright.chat.command import Options
    from tunewright.chat.command import chat as talk

    end_on_signals()
    talk(
        Options(
            card,
            model,
            base_url,
            storage,
            folder,
            workers,
            root,
            yes=yes,
            trials=budget_trials,
            hours=budget_hours,
            usd=budget_usd,
        )
    )
