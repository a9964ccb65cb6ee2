"""The command line: thin adapters over the tuner and the report. Nothing heavy is imported before a command runs."""

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tunewright.errors import INTERRUPTED_EXIT_CODE, CardError, TunerError

if TYPE_CHECKING:
    from tunewright.card import TaskCard
    from tunewright.loop import Tuner
    from tunewright.study import Study

app = typer.Typer(
    help="Tune what can be measured: a language model proposes, a surrogate decides, a record remembers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STORAGE = "sqlite:///tunewright.db"
TERMINATED_EXIT_CODE = 143  # 128 + SIGTERM

Card = Annotated[Path, typer.Argument(help="The card: a YAML file with goal, metrics, space and tool.", metavar="CARD")]
StorageOption = Annotated[str, typer.Option("--storage", help="The record: an SQLite or PostgreSQL URL.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
StudyArgument = Annotated[str | None, typer.Argument(help="Name of the study; not needed when there is only one.")]


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context, show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    """Tune what can be measured: a language model proposes, a surrogate decides, a record remembers."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(f"tunewright {installed('tunewright')}")
        raise typer.Exit


@app.command()
def run(
    card: Card,
    trials: Annotated[
        int | None, typer.Option(help="Trials of the whole study, those on record included.", min=1)
    ] = None,
    model: Annotated[
        str, typer.Option(help="local, openai/NAME, PROVIDER/NAME, or none for the surrogate alone.")
    ] = "local",
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")] = None,
    storage: StorageOption = STORAGE,
    workers: Annotated[int, typer.Option(help="Trials that run at once.", min=1)] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random; a study keeps its first one. [0]")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where each trial's own folder lies.")] = Path("runs"),
    prices: Annotated[Path | None, typer.Option(help="Your price table (YAML), in place of ours.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the prompt, the first points and the estimated cost; run nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tune what the card describes; run it again to go on where it stopped."""
    from tunewright.card import TaskCard

    loaded = TaskCard.load(card)
    asked = None if model.lower() == "none" else model
    if dry_run:
        _dry_run(loaded, asked, base_url, prices, trials, seed or 0, as_json)
        return
    from tunewright.loop import Tuner

    signal.signal(signal.SIGTERM, _terminated)
    with Tuner(loaded, asked, storage, seed, workers=workers, folder=folder, base_url=base_url, prices=prices) as tuner:
        try:
            _listener(tuner, trials, as_json).show(tuner.events(trials=trials))
        finally:
            if not as_json:
                _print_report(tuner.study)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(TERMINATED_EXIT_CODE)


def _listener(tuner: "Tuner", trials: int | None, as_json: bool) -> Any:
    from tunewright.live import JsonLines, LiveTable, PlainLines

    total = trials or tuner.card.budget.trials
    if as_json:
        return JsonLines()
    if sys.stdout.isatty():
        from tunewright.report import spent

        return LiveTable(tuner.card, total, tuner.study.trials(), lambda: spent(tuner.study))
    return PlainLines(tuner.card, total)


def _dry_run(
    card: "TaskCard",
    model: str | None,
    base_url: str | None,
    prices: Path | None,
    trials: int | None,
    seed: int,
    as_json: bool,
) -> None:
    from tunewright.preview import preview

    shown = preview(card, model, base_url=base_url, prices=prices, trials=trials, seed=seed)
    typer.echo(json.dumps(shown.to_json(), indent=2) if as_json else shown.text())


def _print_report(study: "Study") -> None:
    from rich.console import Console

    from tunewright.report import best_table, ledger_table, model_line, report

    if not study.trials():
        return
    rep = report(study)
    # a pipe has no width; tables should not fold there
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(best_table(rep))
    console.print(ledger_table(rep))
    console.print(model_line(rep))


@app.command()
def show(study: StudyArgument = None, storage: StorageOption = STORAGE, as_json: JsonOption = False) -> None:
    """Show a study: every trial, the best against the default, what each source did."""
    from tunewright.report import trials_table
    from tunewright.study import Study

    opened = Study.load(storage, study)
    if as_json:
        from tunewright.report import to_json

        typer.echo(json.dumps(to_json(opened), indent=2, default=str, allow_nan=False))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(
        trials_table(opened.card, opened.trials())
    )
    _print_report(opened)


@app.command()
def best(
    study: StudyArgument = None,
    storage: StorageOption = STORAGE,
    as_args: Annotated[bool, typer.Option("--as-args", help="As command-line arguments.")] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As YAML.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the best configuration."""
    from tunewright.errors import StudyError
    from tunewright.report import arguments
    from tunewright.study import Study

    if as_args + as_yaml + as_json > 1:
        raise CardError("--as-args, --yaml and --json were given together", "choose one of them")
    opened = Study.load(storage, study)
    found = opened.best()
    if found is None or found.outcome is None:
        raise StudyError(f"no trial of {opened.name!r} has a value yet", "run it, or look at `tunewright show`")
    if as_args:
        typer.echo(arguments(opened.card, found))
    elif as_yaml:
        import yaml

        typer.echo(yaml.safe_dump(found.config, sort_keys=False).rstrip())
    elif as_json:
        record = {
            "trial": found.number,
            "source": found.source,
            "config": found.config,
            "metrics": found.outcome.metrics,
        }
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
    else:
        for name, value in {**found.config, **found.outcome.metrics}.items():
            typer.echo(f"{name}: {value}")


@app.command()
def warmstart(
    card: Card,
    n: Annotated[int, typer.Option("-n", "--points", help="Points wanted.", min=1)] = 5,
    model: Annotated[
        str, typer.Option(help="local, openai/NAME, PROVIDER/NAME, or none for the textbook alone.")
    ] = "local",
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")] = None,
    to: Annotated[
        str | None, typer.Option(help="In the words of another optimizer: json, optuna or sklearn.", metavar="TARGET")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your price table (YAML), in place of ours.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the request and of what is drawn.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Print points to try first, from one request to a model and the textbook, for any optimizer."""
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
    if out is not None and not out.resolve().parent.is_dir():
        raise CardError(f"--out is {out}, whose folder does not exist", "make the folder, or name another file")
    loaded = TaskCard.load(card)
    from tunewright.zero_shot import warmstart as made

    points = made(loaded, n, None if model.lower() == "none" else model, base_url=base_url, prices=prices, seed=seed)
    if to is not None:
        text = exported(to, points, loaded)
    else:
        text = json.dumps(points.to_json(), indent=2, allow_nan=False) if as_json else points.text()
    if out is None:
        typer.echo(text.rstrip("\n"))
    else:
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        typer.echo(f"wrote {len(points)} points to {out}", err=True)
    typer.echo("\n".join(points.remarks()), err=True)


@app.command()
def setup_local() -> None:
    """Fetch the local model (SmolLM2-135M, 93 MB, Apache-2.0) and check it against its pinned checksum."""
    from tunewright.llm.setup_local import setup_local as fetch

    typer.echo(f"ready: {fetch(typer.echo)}")


def main() -> None:
    """The `tunewright` command: each error is a line with the next step, and an exit code of its kind."""
    try:
        code = app(standalone_mode=False)
    except TunerError as e:
        typer.echo(f"error: {e.message}\n  -> {e.hint}", err=True)
        sys.exit(e.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED_EXIT_CODE
    except Exception as e:
        show_usage = getattr(e, "show", None)
        if show_usage is None:
            raise
        show_usage()  # click's own usage errors know how to print themselves
        sys.exit(getattr(e, "exit_code", 2))
    if code == INTERRUPTED_EXIT_CODE:  # typer may hand Ctrl-C back as a value
        typer.echo("interrupted: finished trials are kept; run the same command to go on", err=True)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
