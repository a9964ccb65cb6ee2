"""Options by typer."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

app = typer.Typer()


class Loss(str, Enum):  # noqa: UP042
    mse = "mse"
    huber = "huber"


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="The data.")] = Path("data"),
    lr: Annotated[float, typer.Option("--lr", "--rate", help="Step size.", min=1e-6, max=1.0)] = 0.001,
    hidden_size: int = 64,
    dropout: float = typer.Option(0.1, help="Share of units dropped."),
    loss: Loss = Loss.mse,
    schedule: Literal["cosine", "linear"] = "cosine",
    amp: bool = True,
    quick: Annotated[bool, typer.Option("--quick")] = False,
    bias: Annotated[bool, typer.Option("--bias/--without-bias")] = False,
    clip: Optional[float] = None,  # noqa: UP045
    sizes: list[int] = [1, 2],  # noqa: B006
    depth: Annotated[int, typer.Argument(min=1, max=6)] = 2,
) -> None:
    """Train by typer."""
    typer.echo(f"val_acc={lr * hidden_size:.3f} step={depth}")


if __name__ == "__main__":
    app()
