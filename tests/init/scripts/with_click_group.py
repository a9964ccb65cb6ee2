"""A group of click commands."""

import click


@click.group()
@click.option("--scale", default=1.0)
def cli(scale):
    pass


@cli.command()
@click.option("--lr", default=0.1)
def train(lr):
    print("loss:", lr)


@click.command(name="score")
@click.option("--depth", default=3)
def rate(depth):
    print("loss:", depth)


cli.add_command(rate)

if __name__ == "__main__":
    cli()
