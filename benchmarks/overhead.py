"""What the tuner itself costs: start-up, the chat's prompt, `ask`, the record, and workers that wait for a model.

    python benchmarks/overhead.py [--only help prompt ask record waiting] [--json FILE]

`ask` is measured on one thread beside Optuna's GPSampler on the same trials. `waiting` runs real 30-second trials
(a sleeping process) with a model that takes 5 seconds a call; it takes about five minutes.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch: "on one thread" must be true

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

GOALS = {
    "tunewright --help": 0.3,
    "tunewright chat, to its prompt": 0.5,
    "ask, 100 trials x 14 parameters": 1.0,
    "ask, 500 trials x 14 parameters": 5.0,
    "record a trial on SQLite, 100 trials in": 0.05,
    "record a trial on SQLite, 500 trials in": 0.05,
    "worker time waiting, 30 s trials, 5 s model": 0.02,
}
Row = tuple[str, list[float], str]


def help_seconds(repeats: int = 11) -> Iterator[Row]:
    command = [str(Path(sys.executable).parent / "tunewright"), "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    yield (
        "tunewright --help",
        [_timed(lambda: subprocess.run(command, stdout=subprocess.DEVNULL)) for _ in range(repeats)],
        "s",
    )


def prompt_seconds(repeats: int = 5) -> Iterator[Row]:
    """From the start of the process to the prompt on a pseudo-terminal; the record is opened behind it."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples" / "chat"))
    from terminal import Terminal

    command = [str(Path(sys.executable).parent / "tunewright"), "chat", "--model", "none"]

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder, Terminal(command, Path(folder)) as terminal:
            seconds = terminal.wait_for(">")
            terminal.wait_for("no study yet")
            terminal.type("\x04")
            terminal.end()
        return seconds

    once()
    yield "tunewright chat, to its prompt", [once() for _ in range(repeats)], "s"


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def wide_card() -> Any:
    """14 parameters: ten floats, two integers, two choices, one condition."""
    from tunewright import Choice, Float, Int, Space, TaskCard

    floats = [Float(f"x{i}", 1e-5, 1.0, log=i % 2 == 0) for i in range(10)]
    rest = [Int("width", 16, 1024, rounding="power_of_two"), Int("depth", 1, 12), Choice("optimizer", ["adamw", "sgd"])]
    conditional = [Float("momentum", 0.5, 0.99, when={"optimizer": "sgd"})]
    return TaskCard(goal="overhead", metric="loss", direction="minimize", space=Space(*floats, *rest, *conditional))


def value(card: Any, config: dict[str, Any]) -> float:
    unit = card.space.to_unit([config])[0]
    return float(sum((u - 0.3 - 0.03 * i) ** 2 for i, u in enumerate(unit)))


def ask_seconds(sizes: tuple[int, ...] = (100, 500), repeats: int = 5) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    card = wide_card()
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            tuner = _filled(card, n, folder)
            yield (
                f"ask, {n} trials x 14 parameters",
                [_timed(partial(_ask_and_tell, tuner)) for _ in range(repeats)],
                "s",
            )
        yield f"  Optuna GPSampler, {n} trials x 14 parameters", _gp_sampler_seconds(card, n, repeats), "s"


def _filled(card: Any, n: int, folder: str) -> Any:
    """A tuner whose study holds n finished trials."""
    from tunewright import Tuner
    from tunewright.trial import Proposal, Verdict
    from tunewright_tools.base import Outcome, Telemetry

    tuner = Tuner(card, model=None, storage=f"sqlite:///{folder}/study.db", seed=0)
    for number, config in enumerate(card.space.sample(n, seed=1)):
        proposal = Proposal(config, "sobol")
        trial = tuner.study.start(
            proposal, number=number, seed=number, turn="sobol", verdict=Verdict(True), asked=config
        )
        tuner.study.finish(trial, Outcome("done", {"loss": value(card, config)}, telemetry=Telemetry(seconds=1.0)))
    return tuner


def _ask_and_tell(tuner: Any) -> None:
    trial = tuner.ask()
    tuner.tell(trial, value(tuner.card, trial.config))


def _gp_sampler_seconds(card: Any, n: int, repeats: int) -> list[float]:
    import optuna

    from tunewright.distributions import distributions

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # GPSampler knows no conditional parameters: momentum is always there for it
        space = {p.name: d for p, d in zip(card.space, distributions(card.space).values(), strict=True)}
        study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0))
        for config in card.space.sample(n, seed=1):
            full = {p.name: config.get(p.name, p.start) for p in card.space}
            study.add_trial(optuna.trial.create_trial(params=full, distributions=space, value=value(card, config)))

        def once() -> None:
            trial = study.ask(space)
            study.tell(trial, value(card, trial.params))

        return [_timed(once) for _ in range(repeats)]


def record_seconds(sizes: tuple[int, ...] = (100, 500), repeats: int = 20) -> Iterator[Row]:
    from tunewright.trial import Proposal, Verdict
    from tunewright_tools.base import Outcome

    card = wide_card()
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            study = _filled(card, n, folder).study
            configs = card.space.sample(n + repeats, seed=2)[n:]

            def once(number: int, config: dict[str, Any], study: Any = study) -> None:
                proposal = Proposal(config, "sobol")
                given = {"number": number, "seed": number, "turn": "sobol", "verdict": Verdict(True), "asked": config}
                study.finish(study.start(proposal, **given), Outcome("done", {"loss": 1.0}))

            yield (
                f"record a trial on SQLite, {n} trials in",
                [_timed(partial(once, n + i, c)) for i, c in enumerate(configs)],
                "s",
            )


def waiting_share(trial_seconds: float = 30.0, model_seconds: float = 5.0, trials: int = 9) -> Iterator[Row]:
    """Share of a worker's time between the end of a trial and the start of the next, zero-shot turns included."""
    from tunewright import Tuner
    from tunewright.llm.scripted import Scripted
    from tunewright_tools.command import CommandTool

    card = wide_card()
    points = iter(card.space.sample(200, seed=3))

    def reply(request: Any) -> Any:
        time.sleep(model_seconds)
        return {"proposals": [{"config": next(points)} for _ in range(request.n_expected)]}

    program = f"import time; time.sleep({trial_seconds}); print('loss: 1')"
    with tempfile.TemporaryDirectory() as folder:
        tool = CommandTool([sys.executable, "-c", program], metrics=[("loss", "minimize")])
        model = Scripted([reply], repeat_last=True)
        tuner = Tuner(card, model, storage=f"sqlite:///{folder}/study.db", tool=tool, folder=folder)
        done = tuner.run(trials=trials).trials
        gaps = [later.started - earlier.finished for earlier, later in pairwise(done)]
        busy = done[-1].finished - done[0].started
    yield "worker time waiting, 30 s trials, 5 s model", [sum(gaps) / busy], "share"


PARTS = {
    "help": help_seconds,
    "prompt": prompt_seconds,
    "ask": ask_seconds,
    "record": record_seconds,
    "waiting": waiting_share,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print(f"{'what':48} {'median':>8} {'min':>8} {'max':>8}  {'goal':>6}")
    for part in given.only:
        for name, values, unit in PARTS[part]():
            goal = GOALS.get(name)
            middle = statistics.median(values)
            shown = f"{goal:g}" if goal is not None else "-"
            print(f"{name:48} {middle:8.3f} {min(values):8.3f} {max(values):8.3f}  {shown:>6}", flush=True)
            rows.append({"what": name, "unit": unit, "values": values, "goal": goal})
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
