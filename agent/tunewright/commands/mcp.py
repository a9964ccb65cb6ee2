"""`tunewright mcp`: the verbs for any agent."""

from pathlib import Path
from typing import Annotated

import typer

from tunewright.commands.common import (
    BaseUrlOption,
    BudgetHours,
    BudgetTrials,
    BudgetUsd,
    RootOption,
    WorkersOption,
    YesOption,
)
from tunewright.errors import CardError


def mcp(
    root: RootOption = Path("."),
    # no default in the current folder, as other commands have: a client starts the server in any folder it likes
    storage: Annotated[
        str | None, typer.Option(help="The record: an SQLite or PostgreSQL URL; else tunewright.db in the project.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where each trial's own folder lies; else in runs in the project.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Proposes configurations: local, openai/NAME, PROVIDER/NAME or none.")
    ] = "none",
    base_url: BaseUrlOption = None,
    workers: WorkersOption = 1,
    yes: YesOption = False,
    budget_trials: BudgetTrials = None,
    budget_hours: BudgetHours = None,
    budget_usd: BudgetUsd = None,
    skill: Annotated[
        bool,
        typer.Option("--skill", help="Print SKILL.md, which tells coding agents when and how to use this, and exit."),
    ] = False,
) -> None:
    """Serve the verbs, studies and plots to an agent over stdio (Model Context Protocol)."""
    if skill:
        from importlib.resources import files

        typer.echo(files("tunewright_prompts").joinpath("SKILL.md").read_text(encoding="utf-8").rstrip())
        return
    from tunewright.verbs.consent import approver

    try:
        from tunewright.mcp_server.approval import Elicited
        from tunewright.mcp_server.server import serve
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise CardError("the MCP server needs mcp", "pip install 'tunewright[mcp]'") from e
    from tunewright.verbs.session import Session

    who = approver(Elicited(), yes=yes, trials=budget_trials, hours=budget_hours, usd=budget_usd)
    serve(Session(root, storage, model, who, folder=folder, trusted_tools=True, base_url=base_url, workers=workers))
