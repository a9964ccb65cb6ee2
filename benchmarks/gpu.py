"""What the trainers do on a GPU: the tests marked `gpu`, speed, memory, energy, and two trials on one GPU.

    python -m benchmarks.gpu                # writes docs/gpu.md

- `pytest -m gpu`, all tests that need one;
- `torch_lm` beside a bare loop of the same network, batch and bfloat16 AdamW, without validation, checkpoint, schedule
  and deterministic kernels: tokens a second, and MFU (6 operations for each weight and token, over the GPU's peak);
- a run whose batch does not fit under a cap of memory, and how many of a study's first and last ten trials ran out of
  it, by the surrogate alone;
- two trials at once on the GPU, each capped to 40% of it.

Without a CUDA GPU it says so, writes nothing and ends with 2. It ends with 1 where a test failed or a run did not end
as it should; the page says what happened all the same.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tunewright_tools.base import Job, Limits, Outcome
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool

ROOT = Path(__file__).parents[1]
SIZES: dict[str, Any] = {"depth": 12, "width": 768, "heads": 12, "context": 1024, "batch_size": 16}
"""GPT-2 small on bytes."""
NO_DEVICE = 2
TRIALS = 30
CAP_GB = 2.0
Row = tuple[str, str]


def train(folder: Path, seconds: float, cap: int | None = None, **options: Any) -> tuple[Outcome, dict[str, float]]:
    """One run of `torch_lm`: its outcome, and the numbers that it printed at its end."""
    folder.mkdir(parents=True)
    given = {"device": "cuda", "evaluations": 1} | SIZES | options | {"seconds": seconds}
    shipped = trainer("torch_lm")
    tool = CommandTool(shipped.argv([], given), shipped.metrics)
    outcome = tool.run(Job(0, 1, {}, 0, folder, limits=Limits(seconds + 300, gpu_memory_bytes=cap)), lambda _: False)
    said = re.findall(r"^(\w+): ([\d.]+)$", (folder / "stdout.log").read_text(), re.MULTILINE)
    return outcome, {name: float(value) for name, value in said}


def bare(seconds: float, device: str = "cuda", **options: Any) -> float:
    """Tokens a second of the same network in a plain loop."""
    import torch

    from tunewright_tools.torch_lm_model import Gpt, Shape
    from tunewright_tools.torch_lm_options import arguments

    given = SIZES | options
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    defaults = arguments([*words, "--seconds=1"])
    kept = {name: getattr(defaults, name) for name in Shape.__dataclass_fields__ if name != "vocabulary"}
    model = Gpt(Shape(vocabulary=256, **kept)).to(device)
    forward: Any = torch.compile(model) if given.get("compile") == "on" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batch = torch.randint(256, (given["batch_size"], given["context"] + 1), device=device)
    steps, began = 0, 0.0
    while not began or time.monotonic() - began < seconds:
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
    return steps * given["batch_size"] * given["context"] / (time.monotonic() - began)


def bare_apart(seconds: float, compiled: str) -> float:
    """The same in a process of its own, so that its memory is free again."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--bare", compiled, f"--seconds={seconds:g}"]
    return float(subprocess.check_output(command, cwd=ROOT, text=True))


def tests() -> tuple[Row, bool]:
    """The last line of pytest, and whether none failed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"], cwd=ROOT, capture_output=True, text=True
    )
    return ("`pytest -m gpu`", (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]), done.returncode == 0


def speed(folder: Path, seconds: float, compiled: str) -> tuple[list[Row], bool]:
    """Rows of the trainer beside the bare loop."""
    outcome, said = train(folder, seconds, compile=compiled)
    name = f"`torch_lm --compile {compiled}`"
    if outcome.status != "done":
        return [(name, f"{outcome.status}: {outcome.detail.splitlines()[0]}")], False
    rate, alone = said["tokens_per_second"], bare_apart(seconds, compiled)
    rows = [(f"{name}, tokens a second", f"{rate:,.0f}"), ("the bare loop", f"{alone:,.0f} ({rate / alone:.1%} of it)")]
    if "mfu" in said:
        rows.append(("MFU of the trainer, of the bare loop", f"{said['mfu']:.1%}, {said['mfu'] * alone / rate:.1%}"))
    seen = outcome.telemetry
    assert seen is not None
    if seen.peak_gpu_bytes is not None:
        rows.append((f"peak memory, by {seen.gpu_memory_from}", f"{seen.peak_gpu_bytes / 2**30:.2f} GiB"))
    if seen.energy_j is not None:
        rows.append(("energy of the whole GPU, start and validation included", f"{seen.energy_j:,.0f} J"))
    return rows, True


def out_of_memory(folder: Path) -> tuple[list[Row], bool]:
    """Rows of a run that cannot fit, and of a study under the same cap."""
    from benchmarks.memory_cap import card

    from tunewright.card import TaskCard
    from tunewright.loop import Tuner

    cap = int(CAP_GB * 2**30)
    outcome, _ = train(folder / "one", 30, cap, batch_size=512)
    rows = [(f"a batch of 512 under {CAP_GB:g} GiB", f"{outcome.status}: {outcome.detail.splitlines()[0]}")]
    record = card(100, TRIALS, 5.0).to_json()
    record["budget"] = {"trials": TRIALS, "seconds_per_trial": 120, "gpu_memory_gb_per_trial": CAP_GB}
    bounds = {"depth": (1, 24), "width": (64, 1024), "context": (64, 1024), "batch_size": (2, 256)}
    for parameter in record["space"]["parameters"]:
        if parameter["name"] in bounds:
            parameter["low"], parameter["high"] = bounds[parameter["name"]]
    with Tuner(TaskCard.from_json(record), None, f"sqlite:///{folder / 's.db'}", 100, folder=folder) as tuner:
        for _ in tuner.events(trials=TRIALS):
            pass
        ended = [trial.status for trial in tuner.study.trials()]
    first, last = ended[:10].count("oom"), ended[-10:].count("oom")
    rows.append(
        (f"a study of {len(ended)} trials under {CAP_GB:g} GiB", f"oom in {first} of the first 10, {last} of the last")
    )
    return rows, outcome.status == "oom" and len(ended) == TRIALS


def shared(folder: Path, seconds: float, total: int) -> tuple[list[Row], bool]:
    """Rows of two trials at once."""
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda name: train(folder / name, seconds, int(0.4 * total)), "ab"))
    rows = [
        (f"trial {name} of two at once", f"{outcome.status}, {said.get('tokens_per_second', 0):,.0f} tokens a second")
        for name, (outcome, said) in zip("ab", ran, strict=True)
    ]
    return rows, all(outcome.status == "done" for outcome, _ in ran)


def page(about: str, rows: list[Row]) -> str:
    """The text of docs/gpu.md."""
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        f"# On a GPU\n\nWritten by `python -m benchmarks.gpu`. {about}\n\n| what | measured |\n| --- | --- |\n{table}\n"
    )


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 1 where something did not end as it should, 2 where there is no CUDA GPU."""
    import torch

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=60.0, help="of training, each run")
    options.add_argument("--output", type=Path, default=ROOT / "docs" / "gpu.md")
    options.add_argument("--bare", choices=["on", "off"], help=argparse.SUPPRESS)
    given = options.parse_args(argv)
    if not torch.cuda.is_available():
        print(f"no CUDA device here (torch {torch.__version__}): nothing was run and nothing written", file=sys.stderr)
        return NO_DEVICE
    if given.bare is not None:
        print(bare(given.seconds, compile=given.bare))
        return 0
    device = torch.cuda.get_device_properties(0)
    about = f"{device.name}, {device.total_memory / 2**30:.0f} GiB, torch {torch.__version__}; "
    about += f"runs of {given.seconds:g} s; the network has {SIZES['depth']} blocks of width {SIZES['width']}."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row, good = tests()
        rows, ended_well = [row], [good]
        for measure in (
            lambda: speed(folder / "off", given.seconds, "off"),
            lambda: speed(folder / "on", given.seconds, "on"),
            lambda: out_of_memory(folder / "oom"),
            lambda: shared(folder / "shared", given.seconds, device.total_memory),
        ):
            found, good = measure()
            rows += found
            ended_well.append(good)
            print(page(about, rows), flush=True)
    given.output.write_text(page(about, rows), encoding="utf-8")
    return 0 if all(ended_well) else 1


if __name__ == "__main__":
    sys.exit(main())
