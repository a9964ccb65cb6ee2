"""Is a failing region learned? A small GPT under a cap on host memory: the tuner beside random search.

    python -m benchmarks.memory_cap --seeds 0 1      # about 10 minutes a seed and method; run it again to go on

The card is that of examples/lm with wider bounds, so that about two configurations in five need more memory than the
cap allows. Runs are real trainings of `torch_lm`; one that passes the cap is killed and recorded as `oom`. The tuner
has no model: what is measured is the surrogate's success model with the card's derived quantities. Both are resumable;
records lie in benchmarks/results.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tunewright.card import TaskCard
from tunewright.loop import Tuner
from tunewright.toolbox import limits, open_tool
from tunewright_tools.base import Job

RESULTS = Path(__file__).parent / "results"
CARD = Path(__file__).parents[1] / "examples" / "lm" / "tune.yaml"
CAP_GB = 0.6
BOUNDS = {"depth": (1, 12), "width": (64, 512), "context": (64, 512), "batch_size": (2, 64), "device_batch": (2, 64)}
LAST = 30


def card(seed: int, trials: int, seconds: float) -> TaskCard:
    """The example's card with wider bounds, a short budget and the cap."""
    record = TaskCard.load(CARD).to_json()
    for parameter in record["space"]["parameters"]:
        if parameter["name"] in BOUNDS:
            parameter["low"], parameter["high"] = BOUNDS[parameter["name"]]
    command = [
        f"--seconds={seconds:g}" if part.startswith("--seconds=") else part for part in record["tool"]["command"]
    ]
    # a step takes the whole batch at once: its memory is that of the batch, as where nobody accumulates gradients
    record["tool"]["command"] = [p for p in command if not p.startswith("--device-batch")]
    record["space"]["parameters"] = [p for p in record["space"]["parameters"] if p["name"] != "device_batch"]
    record["space"].pop("relations", None)
    record["derived"] = {
        "activation": {"batch_size": 1, "depth": 1, "width": 1, "context": 1},
        "weights": {"depth": 1, "width": 2},
    }
    record["budget"] = {"trials": trials, "seconds_per_trial": 120, "memory_gb_per_trial": CAP_GB}
    record["name"] = f"memory-cap-{seed}"
    return TaskCard.from_json(record)


def tuned(seed: int, trials: int, seconds: float) -> list[dict[str, Any]]:
    """Rows of a study by the surrogate alone."""
    made = card(seed, trials, seconds)
    storage = f"sqlite:///{RESULTS / 'memory_cap.db'}"
    with Tuner(made, None, storage, seed, folder=RESULTS / "memory_cap") as tuner:
        for event in tuner.events(trials=trials):
            if type(event).__name__ == "Finished":
                print(f"tunewright seed {seed}: {_line(event.trial)}", file=sys.stderr, flush=True)  # type: ignore[attr-defined]
        return [_row(t.number, t.status, t.outcome) for t in tuner.study.trials()]


def random(seed: int, trials: int, seconds: float) -> list[dict[str, Any]]:
    """Rows of random search: the default, then a draw each from the parameters' scales."""
    import numpy as np

    made = card(seed, trials, seconds)
    file = RESULTS / f"memory_cap_random_{seed}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    tool = open_tool(made)
    draws = made.space.from_unit(np.random.default_rng(seed).random((trials, len(made.space))))
    configs = [made.space.default(), *draws][:trials]
    for number, config in enumerate(configs[len(rows) :], start=len(rows)):
        folder = RESULTS / "memory_cap" / f"random-{seed}" / f"{number:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        job = Job(number, 1, config, seed * 1000 + number, folder.resolve(), limits=limits(made))
        outcome = tool.run(job, lambda point: False)
        rows.append(_row(number, outcome.status, outcome))
        with file.open("a") as out:
            out.write(json.dumps(rows[-1]) + "\n")
        print(f"random seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    return rows[:trials]


def _row(number: int, status: str, outcome: Any) -> dict[str, Any]:
    telemetry = outcome.telemetry if outcome else None
    return {
        "trial": number,
        "status": status,
        "val_bpb": outcome.metrics.get("val_bpb") if outcome else None,
        "peak_bytes": telemetry.peak_bytes if telemetry else None,
        "seconds": telemetry.seconds if telemetry else None,
    }


def _line(trial: Any) -> str:
    return json.dumps(_row(trial.number, trial.status, trial.outcome))


def table(rows: dict[tuple[str, int], list[dict[str, Any]]]) -> str:
    """Markdown: how many of the first ten and of the last thirty failed, and the best value."""
    lines = [
        f"| method | seed | failed of the first {{}} | failed of the last {LAST} | best val_bpb | hours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (method, seed), found in sorted(rows.items()):
        failed = [r["status"] != "done" for r in found]
        head, tail = failed[:-LAST], failed[-LAST:]
        best = min((r["val_bpb"] for r in found if r["val_bpb"] is not None), default=None)
        hours = sum(r["seconds"] or 0.0 for r in found) / 3600
        lines[0] = lines[0].replace("{}", str(len(head)))
        lines.append(
            f"| {method} | {seed} | {sum(head)} | {sum(tail)} ({sum(tail) / max(len(tail), 1):.0%}) "
            f"| {'-' if best is None else f'{best:.3f}'} | {hours:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--methods", nargs="+", default=["tunewright", "random"], choices=["tunewright", "random"])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=4.0, help="of training, each trial")
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    run = {"tunewright": tuned, "random": random}
    rows = {(m, s): run[m](s, given.trials, given.seconds) for s in given.seeds for m in given.methods}
    print(table(rows))


if __name__ == "__main__":
    main()
