"""What the tests of the record share; as a program, a process of its own: `python record_worker.py WHAT STORAGE N`."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tunewright.card import TaskCard
from tunewright.rivals import Withdrawn
from tunewright.space import Float, Int, Space
from tunewright.study import Study
from tunewright.trial import Proposal, Verdict
from tunewright_tools.base import Outcome


def card(**changes):
    fields = {
        "goal": "make the loss small",
        "name": "toy",
        "metric": "loss",
        "direction": "minimize",
        "space": Space(Float("lr", 1e-5, 1e-1, log=True), Int("width", 1, 64)),
    }
    return TaskCard(**{**fields, **changes})


def start(study, config, number, **more):
    keys = {"seed": 7 + number, "turn": "sobol", "verdict": Verdict(True), "asked": config}
    return study.start(Proposal(config, "sobol", "why not"), number=number, **{**keys, **more})


def swap_at_once(study, url):
    """Eight connections swap the same attribute."""
    shown = study.get("turn")
    for turn in range(5):
        meeting = threading.Barrier(8)

        def write(me, turn=turn, before=shown, meeting=meeting):
            other = Study.load(url)
            try:
                meeting.wait(60)
                return other.swap("turn", {"of": me, "turn": turn, "until": 0.1 + me}, before=before)
            finally:
                other.close()

        with ThreadPoolExecutor(8) as pool:
            wrote = list(pool.map(write, range(8)))
        assert wrote.count(True) == 1
        shown = study.get("turn")
        assert (shown["of"], shown["turn"]) == (wrote.index(True), turn)
    assert study.swap("turn", None, before=shown)
    assert not study.swap("turn", None, before=shown)
    assert study.swap("turn", 1)  # none is there
    assert not study.swap("turn", 2)


def config(k):
    return {"lr": round(1e-4 * (1 + k % 900), 6), "width": 1 + k % 64}


def next_number(study):
    return max((t.number for t in study.trials()), default=-1) + 1


def race(storage, trials):
    """Both processes want the same configurations, in the same order, until the study has so many trials."""
    study = Study.open(card(), storage)
    print("ready", flush=True)
    sys.stdin.readline()
    won = lost = 0
    while (number := next_number(study)) < trials:
        try:
            trial = start(study, config(number), number)
        except Withdrawn:
            lost += 1
            continue
        won += 1
        study.finish(trial, Outcome("done", {"loss": float(number)}))
    print(won, lost, flush=True)


def drain(storage, trials):
    """Both processes work through one queue."""
    study = Study.open(card(), storage)
    print("ready", flush=True)
    sys.stdin.readline()
    while queue := study.queue():
        entry = queue[0]
        number = entry.number if entry.number is not None else next_number(study)
        try:
            trial = start(study, entry.config, number, queue_id=entry.id, attempt=entry.attempt)
        except Withdrawn:
            continue
        study.finish(trial, Outcome("done", {"loss": 0.0}))
        print(number, flush=True)


def die_running(storage, number):
    """Start a trial and be killed."""
    start(Study.open(card(), storage), config(number), number)
    os.kill(os.getpid(), signal.SIGKILL)


def die_telling(storage, number):
    """Be gone between the outcome and Optuna's own state."""
    study = Study.open(card(), storage)
    trial = start(study, config(number), number)
    study._table.storage.set_trial_state_values = lambda *args, **kwargs: os._exit(9)
    study.finish(trial, Outcome("done", {"loss": 0.25}))


def die_withdrawing(storage, number):
    """Be gone between the insert and the look at older trials."""
    study = Study.open(card(), storage)
    trial = replace(study.trials()[-1], config=config(number), number=number, started=time.time())
    study._table.add(trial, study.card.space)
    os._exit(9)


def sweep(storage, trials):
    study = Study.open(card(), storage)
    print("ready", flush=True)
    sys.stdin.readline()
    print(*(t.number for t in study.sweep()), flush=True)


def open_only(storage, trials):
    print("ready", flush=True)
    sys.stdin.readline()
    print(Study.open(card(), storage).seed, flush=True)


def worker(what, url, number=0, **options):
    return subprocess.Popen(
        [sys.executable, __file__, what, url, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def at_once(what, url, count, number=0):
    """Several processes, held at the start line until all are there; what each printed after it."""
    processes = [worker(what, url, number) for _ in range(count)]
    for p in processes:
        assert p.stdout.readline() == "ready\n"
    for p in processes:
        p.stdin.write("\n")
        p.stdin.flush()
    printed = [p.communicate(timeout=100)[0] for p in processes]
    assert [p.returncode for p in processes] == [0] * count
    return printed


def die(what, url, number):
    p = worker(what, url, number)
    p.communicate(timeout=60)
    assert p.returncode != 0


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
