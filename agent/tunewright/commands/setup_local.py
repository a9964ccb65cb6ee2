"""`tunewright setup-local`: fetch the local model."""

import typer


def setup_local() -> None:
    """Fetch the local model (SmolLM2-135M, 93 MB, Apache-2.0) and check it against its pinned checksum."""
    from tunewright.llm.setup_local import setup_local as fetch

    typer.echo(f"ready: {fetch(typer.echo)}")
