"""Options by click."""

import json

import click


@click.command()
@click.option("--lr", "-l", default=0.003, show_default=True, help="Step size.")
@click.option("--layers", type=click.IntRange(1, 8), default=2)
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9)
@click.option("--temperature", type=click.FloatRange(0, 2, min_open=True), default=1.0)
@click.option("--activation", type=click.Choice(["relu", "gelu"]), default="relu")
@click.option("--shuffle/--no-shuffle", default=True)
@click.option("--fast", is_flag=True)
@click.option("--tag", multiple=True)
@click.option("--out", type=click.Path(), default="out")
@click.option("--alpha", type=float, required=True)
@click.argument("epochs", type=int, default=2)
def main(lr, layers, momentum, temperature, activation, shuffle, fast, tag, out, alpha, epochs):
    """Train by click."""
    click.echo(json.dumps({"accuracy": lr * layers, "step": epochs}))


if __name__ == "__main__":
    main()
