"""The command line: its commands (`commands/`) put together, and how an error ends it."""

import errno
import os
import sys
from typing import Annotated

import typer

from tunewright.clean import clean
from tunewright.commands.best import best
from tunewright.commands.chat import chat
from tunewright.commands.export import export
from tunewright.commands.init import init
from tunewright.commands.mcp import mcp
from tunewright.commands.report import report
from tunewright.commands.run import run
from tunewright.commands.setup_local import setup_local
from tunewright.commands.show import show
from tunewright.commands.warmstart import warmstart
from tunewright.errors import INTERRUPTED_EXIT_CODE, TunerError

_ROOM = "free some space and run the same command again; finished trials are safe"

app = typer.Typer(
    help="Tune what can be measured: a language model proposes, a surrogate decides, a record remembers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context, show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    """Tune what can be measured: a language model proposes, a surrogate decides, a record remembers."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(f"tunewright {installed('tunewright')}")
        raise typer.Exit


for command in (run, show, best, report, warmstart, init, mcp, chat, export, setup_local):
    app.command()(command)


def main() -> None:
    """The `tunewright` command: each error is a line with the next step, and an exit code of its kind."""
    _open_streams()
    try:
        code = app(standalone_mode=False)
    except TunerError as e:
        typer.echo(clean(f"error: {e.message}\n  -> {e.hint}"), err=True)
        sys.exit(e.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED_EXIT_CODE
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = e.filename or "a file, or what the command prints,"
        typer.echo(f"error: {what} could not be written: {e.strerror}\n  -> {_ROOM}", err=True)
        sys.exit(1)
    except Exception as e:
        show_usage = getattr(e, "show", None)
        if show_usage is None:
            raise
        show_usage()  # click's own usage errors know how to print themselves
        sys.exit(getattr(e, "exit_code", 2))
    if code == INTERRUPTED_EXIT_CODE:  # typer may hand Ctrl-C back as a value
        typer.echo("interrupted: finished trials are kept; run the same command to go on", err=True)
    sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    # Python has None for a stream that was closed before it started (`>&-`); in this order each gets its own number
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


if __name__ == "__main__":
    main()
