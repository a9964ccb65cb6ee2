"""What the trainers do on a GPU: the tests marked `gpu`, speed, memory, energy, and two trials on one GPU.

    python -m benchmarks.gpu                # writes docs/gpu.md
    python -m benchmarks.gpu --rehearse     # every part on the CPU with a tiny network, to see that it can run

- `pytest -m gpu`, all tests that need one;
- `torch_lm` beside a bare loop of the same network, batch and bfloat16 AdamW, without validation, checkpoint, schedule
  and deterministic kernels: tokens a second, and MFU (6 operations for each weight and token, over the GPU's peak);
- a run whose batch does not fit under a cap of memory, and how many of a study's first and last ten trials ran out of
  it, by the surrogate alone;
- two trials at once on the GPU, each capped to 40% of it.

The page is written anew after each figure. A part that fails has a row that says so, its whole error goes to stderr,
and the next part begins. Without a CUDA GPU it says so, writes nothing and ends with 2. It ends with 1 where a test
failed or a run did not end as it should. A rehearsal prints the page alone; its figures mean nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright_tools.base import Job, Limits, Outcome
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool

ROOT = Path(__file__).parents[1]
NO_DEVICE = 2


@dataclass(frozen=True)
class Plan:
    """What is run, and how long."""

    seconds: float
    """Of training, each run."""
    device: str
    sizes: dict[str, Any]
    """Options of the network and its batch."""
    too_large: int
    """Sequences of a batch that cannot fit under the cap."""
    cap: int
    """Bytes of GPU memory."""
    study_sizes: dict[str, tuple[int, int]]
    """Bounds of the study's parameters."""
    study_seconds: float
    trials: int
    total: int
    """Bytes of memory on the GPU."""
    tests: str
    """Which tests, as pytest's `-m` has it."""


def on_gpu(seconds: float, total: int) -> Plan:
    """GPT-2 small on bytes."""
    sizes = {"depth": 12, "width": 768, "heads": 12, "context": 1024, "batch_size": 16}
    study = {"depth": (1, 24), "width": (64, 1024), "context": (64, 1024), "batch_size": (2, 256)}
    return Plan(seconds, "cuda", sizes, 512, 2 << 30, study, 5.0, 30, total, "gpu")


def rehearsal(seconds: float) -> Plan:
    """The same with so little that a CPU is done with it in a minute or two."""
    sizes = {"depth": 1, "width": 16, "heads": 2, "context": 8, "batch_size": 2}
    study = {"depth": (1, 2), "width": (16, 32), "context": (8, 16), "batch_size": (2, 4)}
    return Plan(min(seconds, 0.2), "cpu", sizes, 4, 2 << 30, study, 0.2, 2, 8 << 30, "gpu and not gpu")


@dataclass(frozen=True)
class Row:
    """One line of the page."""

    name: str
    value: str
    good: bool = True


def train(
    folder: Path, plan: Plan, cap: int | None = None, seconds: float | None = None, **options: Any
) -> tuple[Outcome, dict[str, float]]:
    """One run of `torch_lm`: its outcome, and the numbers that it printed at its end."""
    folder.mkdir(parents=True)
    seconds = plan.seconds if seconds is None else seconds
    given = {"device": plan.device, "evaluations": 1} | plan.sizes | options | {"seconds": seconds}
    shipped = trainer("torch_lm")
    tool = CommandTool(shipped.argv([], given), shipped.metrics)
    outcome = tool.run(Job(0, 1, {}, 0, folder, limits=Limits(seconds + 300, gpu_memory_bytes=cap)), lambda _: False)
    said = {}
    for line in (folder / "stdout.log").read_text().splitlines():
        name, _, value = line.partition(": ")
        with suppress(ValueError):  # other lines, such as what the text is
            said[name] = float(value)
    return outcome, said


def bare(plan: Plan, compiled: str) -> float:
    """Tokens a second of the same network in a plain loop."""
    import torch

    from tunewright_tools.torch_lm_model import Gpt, Shape
    from tunewright_tools.torch_lm_options import arguments

    device, sizes = plan.device, plan.sizes
    words = [f"--{name.replace('_', '-')}={value}" for name, value in sizes.items()]
    defaults = arguments([*words, "--seconds=1"])
    kept = {name: getattr(defaults, name) for name in Shape.__dataclass_fields__ if name != "vocabulary"}
    model = Gpt(Shape(vocabulary=256, **kept)).to(device)
    forward: Any = torch.compile(model) if compiled == "on" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batch = torch.randint(256, (sizes["batch_size"], sizes["context"] + 1), device=device)
    steps, began = 0, 0.0
    while not steps or time.monotonic() - began < plan.seconds:
        with torch.autocast(device, torch.bfloat16):
            scores = forward(batch[:, :-1])
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        if began:
            steps += 1
        else:  # the first step compiles and fills the allocator
            began = time.monotonic()
    return steps * sizes["batch_size"] * sizes["context"] / (time.monotonic() - began)


def bare_apart(plan: Plan, compiled: str) -> float:
    """The same in a process of its own, so that its memory is free again.

    Raises:
        RuntimeError: it failed; the message is what it wrote on stderr.
        subprocess.TimeoutExpired: it hangs.
    """
    command = [sys.executable, "-m", "benchmarks.gpu", "--bare", compiled, f"--seconds={plan.seconds:g}"]
    command += ["--rehearse"] if plan.device == "cpu" else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=plan.seconds + 300)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip() or 'nothing on stderr'}")
    return float(done.stdout.split()[-1])


def tests(plan: Plan) -> Iterator[Row]:
    """The last line of pytest, and the tests that did not pass."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", plan.tests, "tests"], cwd=ROOT, capture_output=True, text=True
    )
    lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
    named = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    if done.returncode:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    yield Row(f"`pytest -m '{plan.tests}'`", "; ".join([lines[-1], *named]), done.returncode == 0)


def speed(plan: Plan, folder: Path, compiled: str) -> Iterator[Row]:
    """The trainer beside the bare loop."""
    outcome, said = train(folder, plan, compile=compiled)
    name = f"`torch_lm --compile {compiled}`"
    if outcome.status != "done":
        yield _ended(name, outcome, good=False)
        return
    rate = said["tokens_per_second"]
    yield Row(f"{name}, tokens a second", f"{rate:,.0f}")
    if "mfu" in said:
        yield Row("MFU of the trainer", f"{said['mfu']:.1%}")
    seen = outcome.telemetry
    if seen is not None and seen.peak_gpu_bytes is not None:
        yield Row(f"peak memory, by {seen.gpu_memory_from}", f"{seen.peak_gpu_bytes / 2**30:.2f} GiB")
    if seen is not None and seen.energy_j is not None:
        yield Row("energy of the whole GPU, start and validation included", f"{seen.energy_j:,.0f} J")
    alone = bare_apart(plan, compiled)
    yield Row("the bare loop, tokens a second", f"{alone:,.0f} (the trainer has {rate / alone:.1%} of it)")
    if "mfu" in said:
        yield Row("MFU of the bare loop", f"{said['mfu'] * alone / rate:.1%}")


def out_of_memory(plan: Plan, folder: Path) -> Iterator[Row]:
    """A run that cannot fit."""
    outcome, _ = train(folder, plan, plan.cap, min(plan.seconds, 30.0), batch_size=plan.too_large)
    yield _ended(f"a batch of {plan.too_large} under {plan.cap / 2**30:g} GiB", outcome, outcome.status == "oom")


def study(plan: Plan, folder: Path) -> Iterator[Row]:
    """A study under the same cap: how many of its trials ran out of memory."""
    from benchmarks.memory_cap import card

    from tunewright.card import TaskCard
    from tunewright.loop import Tuner

    folder.mkdir(parents=True)
    record = card(100, plan.trials, plan.study_seconds).to_json()
    cap = plan.cap / 2**30
    record["budget"] = {"trials": plan.trials, "seconds_per_trial": 120, "gpu_memory_gb_per_trial": cap}
    record["tool"]["command"].append(f"--device={plan.device}")
    for parameter in record["space"]["parameters"]:
        if parameter["name"] in plan.study_sizes:
            parameter["low"], parameter["high"] = plan.study_sizes[parameter["name"]]
            parameter["default"] = min(max(parameter["default"], parameter["low"]), parameter["high"])
    with Tuner(TaskCard.from_json(record), None, f"sqlite:///{folder / 's.db'}", 100, folder=folder) as tuner:
        for _ in tuner.events(trials=plan.trials):
            pass
        ended = [trial.status for trial in tuner.study.trials()]
    first, last = ended[:10].count("oom"), ended[-10:].count("oom")
    other = ", ".join(f"{ended.count(s)} {s}" for s in sorted(set(ended) - {"oom"}))
    told = f"oom in {first} of the first 10, {last} of the last; of all {other or 'none ended otherwise'}"
    yield Row(f"a study of {len(ended)} trials under {cap:g} GiB", told, len(ended) == plan.trials)


def shared(plan: Plan, folder: Path) -> Iterator[Row]:
    """Two trials at once, each with 40% of the GPU's memory."""
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda name: train(folder / name, plan, int(0.4 * plan.total)), "ab"))
    for name, (outcome, said) in zip("ab", ran, strict=True):
        row = f"trial {name} of two at once"
        if outcome.status == "done":
            yield Row(row, f"done, {said['tokens_per_second']:,.0f} tokens a second")
        else:
            yield _ended(row, outcome, good=False)


def _ended(name: str, outcome: Outcome, good: bool) -> Row:
    if not good:
        print(f"{name}: {outcome.status}\n{outcome.detail}", file=sys.stderr, flush=True)
    return Row(name, ": ".join([outcome.status, *outcome.detail.splitlines()[:1]]), good)


def page(about: str, rows: list[Row]) -> str:
    """The text of docs/gpu.md."""
    table = "\n".join(f"| {row.name} | {row.value} |".replace("\n", " ") for row in rows)
    return (
        f"# On a GPU\n\nWritten by `python -m benchmarks.gpu`. {about}\n\n| what | measured |\n| --- | --- |\n{table}\n"
    )


def measure(parts: dict[str, Callable[[], Iterator[Row]]], about: str, output: Path | None) -> list[Row]:
    """The rows of all parts; the page has each from when it is known."""
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(Row(row.name, row.value.replace("|", "\\|"), row.good))
        print(f"{row.name}: {row.value}", flush=True)
        if output is not None:
            half_written = output.with_name(output.name + ".part")
            half_written.write_text(page(about, rows), encoding="utf-8")
            half_written.replace(output)

    for name, part in parts.items():
        try:
            for row in part():
                add(row)
        except Exception as error:  # whatever it is, the parts after it are still to be measured
            traceback.print_exc()
            said = str(error).strip().splitlines() or ["no message"]
            add(Row(f"{name} failed", f"{type(error).__name__}: {said[-1]}", good=False))
    return rows


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 1 where something did not end as it should, 2 where there is no CUDA GPU."""
    import torch

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=60.0, help="of training, each run")
    options.add_argument("--output", type=Path, help="the page; docs/gpu.md where not given, none of a rehearsal")
    options.add_argument("--rehearse", action="store_true", help="on the CPU with a tiny network")
    options.add_argument("--bare", choices=["on", "off"], help=argparse.SUPPRESS)
    given = options.parse_args(argv)
    if given.rehearse:
        plan, about = rehearsal(given.seconds), "A rehearsal on the CPU: none of these figures means anything."
    elif not torch.cuda.is_available():
        print(f"no CUDA device here (torch {torch.__version__}): nothing was run and nothing written", file=sys.stderr)
        return NO_DEVICE
    else:
        device = torch.cuda.get_device_properties(0)
        plan = on_gpu(given.seconds, device.total_memory)
        about = f"{device.name}, {device.total_memory / 2**30:.0f} GiB, torch {torch.__version__}; runs of "
        about += f"{given.seconds:g} s; the network has {plan.sizes['depth']} blocks of width {plan.sizes['width']}."
    if given.bare is not None:
        print(bare(plan, given.bare))
        return 0
    output = given.output
    if output is None and not given.rehearse:
        output = ROOT / "docs" / "gpu.md"
    if output is not None:  # said now, and not after an hour
        folder = output.absolute().parent
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            options.error(f"--output {output}: there is no folder {folder} that can be written to")
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name)
        parts: dict[str, Callable[[], Iterator[Row]]] = {
            "the tests": lambda: tests(plan),
            "speed without compilation": lambda: speed(plan, runs / "off", "off"),
            "speed with compilation": lambda: speed(plan, runs / "on", "on"),
            "the run that cannot fit": lambda: out_of_memory(plan, runs / "one"),
            "two trials at once": lambda: shared(plan, runs / "shared"),
            "the study under a cap": lambda: study(plan, runs / "study"),
        }
        rows = measure(parts, about, output)
    print(page(about, rows))
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
