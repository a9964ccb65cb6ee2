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
YesOption = Annotated[bool, typer.Option("--yes", help="Approve all that spends or deletes, without being asked.")]
BudgetTrials = Annotated[int | None, typer.Option(help="Approve up to so many trials without being asked.", min=1)]
BudgetHours = Annotated[float | None, typer.Option(help="Approve up to so many hours of trials without being asked.")]
BudgetUsd = Annotated[float | None, typer.Option(help="Approve model calls up to so many US dollars.")]
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
    earlier: Annotated[
        list[str] | None,
        typer.Option(help="Trials of an earlier study: a CSV file, URL or NAME@URL; repeatable.", metavar="SOURCE"),
    ] = None,
    branch: Annotated[
        bool, typer.Option("--branch", help="Where the card fits the study no more, open its child NAME.2.")
    ] = False,
    textbook: Annotated[
        bool, typer.Option("--textbook", help="Start from the textbook's points, also without a model that fails.")
    ] = False,
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

    loaded = TaskCard.load(card)
    if pruner is not None:
        loaded = TaskCard.from_json({**loaded.to_json(), "pruner": pruner})
    asked = None if model.lower() == "none" else model
    if dry_run:
        _dry_run(loaded, asked, base_url, prices, trials, seed or 0, earlier or [], textbook, as_json)
        return
    from tunewright.loop import Tuner

    signal.signal(signal.SIGTERM, _terminated)
    with Tuner(
        loaded,
        asked,
        storage,
        seed,
        workers=workers,
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


def _confirm(tuner: "Tuner", seeds: int, as_json: bool) -> None:
    from tunewright.live import JsonLines, PlainLines
    from tunewright.report import confirmation_json

    listener = JsonLines() if as_json else PlainLines(tuner.card, None)
    listener.show(tuner.confirming(seeds))
    if as_json:
        typer.echo(json.dumps(confirmation_json(tuner.study), allow_nan=False))


def _dry_run(
    card: "TaskCard",
    model: str | None,
    base_url: str | None,
    prices: Path | None,
    trials: int | None,
    seed: int,
    earlier: list[str],
    textbook: bool,
    as_json: bool,
) -> None:
    from tunewright.preview import preview

    shown = preview(
        card, model, base_url=base_url, prices=prices, trials=trials, seed=seed, earlier=earlier, textbook=textbook
    )
    typer.echo(json.dumps(shown.to_json(), indent=2) if as_json else shown.text())


def _print_report(study: "Study") -> None:
    from rich.console import Console

    from tunewright.report import best_table, confirmation_table, earlier_lines, ledger_table, model_line, report

    if not study.trials():
        return
    rep = report(study)
    # a pipe has no width; tables should not fold there
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(best_table(rep))
    console.print(ledger_table(rep))
    for line in earlier_lines(rep):
        console.print(line)
    console.print(model_line(rep))
    if rep.confirmation is not None:
        console.print(confirmation_table(rep.confirmation))
        console.print(rep.confirmation.verdict.text)


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
        str | None,
        typer.Option(
            help="In the words of another optimizer: json, optuna, sklearn, ray, smac, ax, nevergrad, hyperopt, "
            "syne_tune, skopt or flaml.",
            metavar="TARGET",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your price table (YAML), in place of ours.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the request and of what is drawn.")] = 0,
    textbook: Annotated[
        bool, typer.Option("--textbook/--no-textbook", help="Tell and fill up from literature values.")
    ] = True,
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

    asked = None if model.lower() == "none" else model
    points = made(loaded, n, asked, base_url=base_url, prices=prices, seed=seed, textbook=textbook)
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
def init(
    script: Annotated[Path, typer.Argument(help="A Python script, or a Hydra or OmegaConf file.", metavar="SCRIPT")],
    fixed: Annotated[
        list[str] | None,
        typer.Argument(help="Behind `--`: arguments that each run gets as they are.", metavar="ARGUMENT"),
    ] = None,
    out: Annotated[Path, typer.Option(help="The card to write.")] = Path("tune.yaml"),
    metric: Annotated[str | None, typer.Option(help="What to improve; else a number that the script prints.")] = None,
    direction: Annotated[str | None, typer.Option(help="minimize or maximize; else told by the name.")] = None,
    goal: Annotated[str | None, typer.Option(help="What is tuned and what for, in a sentence.")] = None,
    subcommand: Annotated[str | None, typer.Option(help="Which one, where the script has several.")] = None,
    model: Annotated[
        str, typer.Option(help="Asked once for ranges and descriptions: as for run; none for the textbook alone.")
    ] = "none",
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your price table (YAML), in place of ours.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the card if it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented card for a script, which is read and not run."""
    from tunewright.init import propose, read_script, write
    from tunewright.init.write import check_free, summary

    check_free(out, force=force)  # before a model is asked
    draft = propose(
        read_script(script),
        None if model.lower() == "none" else model,
        goal=goal,
        metric=metric,
        direction=direction,
        subcommand=subcommand,
        fixed=fixed or (),
        base_url=base_url,
        prices=prices,
    )
    write(draft, out, force=force)
    typer.echo(json.dumps({"out": str(out), **draft.to_json()}, indent=2) if as_json else summary(draft, out))


@app.command()
def mcp(
    root: Annotated[
        Path, typer.Option(help="The project: scripts and cards are read from here, nothing outside.")
    ] = Path("."),
    storage: StorageOption = STORAGE,
    folder: Annotated[Path, typer.Option(help="Where each trial's own folder lies.")] = Path("runs"),
    model: Annotated[
        str, typer.Option(help="Proposes configurations: local, openai/NAME, PROVIDER/NAME or none.")
    ] = "none",
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")] = None,
    workers: Annotated[int, typer.Option(help="Trials that run at once.", min=1)] = 1,
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
        raise CardError(f"the MCP server needs the package {e.name}", "pip install 'tunewright[mcp]'") from e
    from tunewright.verbs.session import Session

    who = approver(Elicited(), yes=yes, trials=budget_trials, hours=budget_hours, usd=budget_usd)
    serve(Session(root, storage, model, who, folder=folder, trusted_tools=True, base_url=base_url, workers=workers))


@app.command()
def chat(
    card: Annotated[
        Path | None, typer.Argument(help="A card to begin with; else the study on record.", metavar="[CARD]")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Talks and proposes: openai/NAME, PROVIDER/NAME, local or none (both: commands only).")
    ] = "local",
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server for openai/NAME.")] = None,
    storage: StorageOption = STORAGE,
    folder: Annotated[Path, typer.Option(help="Where each trial's own folder lies.")] = Path("runs"),
    workers: Annotated[int, typer.Option(help="Trials that run at once.", min=1)] = 1,
    root: Annotated[
        Path, typer.Option(help="The project: scripts and cards are read from here, nothing outside.")
    ] = Path("."),
    yes: YesOption = False,
    budget_trials: BudgetTrials = None,
    budget_hours: BudgetHours = None,
    budget_usd: BudgetUsd = None,
) -> None:
    """Talk about studies while their trials run in the background."""
    from tunewright.chat.command import Options
    from tunewright.chat.command import chat as talk

    signal.signal(signal.SIGTERM, _terminated)
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


@app.command()
def export(
    to: Annotated[str, typer.Option(help="csv, json, or an optimizer as for `warmstart`.", metavar="TARGET")],
    study: StudyArgument = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Print a study for other programs: all trials (csv, json), or its best points and its space for an optimizer."""
    from tunewright.export.study import study_to
    from tunewright.study import Study

    if out is not None and not out.resolve().parent.is_dir():
        raise CardError(f"--out is {out}, whose folder does not exist", "make the folder, or name another file")
    opened = Study.load(storage, study)
    text = study_to(to, opened.card, opened.trials())
    if out is None:
        typer.echo(text.rstrip("\n"))
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {opened.name} to {out}", err=True)


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
