"""A run's processes: all that it started, and the end of all of it.

A run is the leader of a session of its own. Its processes are those in that session (whatever their process group or
parent) and the leader's descendants (whatever their session). A daemon that left both is not the run's any more.
"""

import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path

import psutil

FILE = "process.json"
CREATED_SLACK = 2.0
"""Seconds by which what is told of a process's creation may differ: the kernel gives its boot time in whole seconds."""
_KILL_SECONDS = 5.0


def alive(process: psutil.Process) -> bool:
    """Whether this very process (not another with its number) still runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def boot() -> str:
    """The id of the boot of this machine; empty where it is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def created(process: psutil.Process) -> float:
    """When the process began: seconds since the boot where that has an id, else Unix seconds.

    Of the boot, since whoever sets the clock moves the time of the day at which everything that runs seems to have
    begun: by hours on a machine without a clock of its own, by the time that a virtual one was held.

    Raises:
        psutil.Error: it is gone.
    """
    return process.create_time() - (psutil.boot_time() if boot() else 0.0)


def members(leader: int) -> list[psutil.Process]:
    """The living processes of the run whose session leader has this pid."""
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == leader:
                found[pid] = psutil.Process(pid)
    with contextlib.suppress(psutil.Error):
        found |= {child.pid: child for child in psutil.Process(leader).children(recursive=True)}
    return [process for process in found.values() if alive(process)]


def end(leader: int, grace_seconds: float) -> bool:
    """Whether none of the run's processes lives any more, after asking (SIGTERM) and then making them (SIGKILL).

    The leader must not have been waited for yet, or be no child of ours: its pid must still be its own.

    Args:
        leader: pid of the run's session leader.
        grace_seconds: how long they may take to clean up; 0 kills at once.
    """
    doomed = {process.pid: process for process in members(leader)}
    if grace_seconds > 0:
        _signal(doomed, signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while any(alive(process) for process in doomed.values()) and time.monotonic() < deadline:
            time.sleep(0.02)
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        # Looked up again each round: a process may have started others while it was asked to end.
        for process in (*doomed.values(), *members(leader)):
            if alive(process):
                doomed[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    doomed |= {child.pid: child for child in process.children(recursive=True)}
        doomed = {pid: process for pid, process in doomed.items() if alive(process)}
        if not doomed or time.monotonic() > deadline:
            return not doomed
        _signal(doomed, signal.SIGKILL)
        time.sleep(0.01)


def _signal(processes: dict[int, psutil.Process], number: signal.Signals) -> None:
    for process in processes.values():
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def remember(folder: Path, pid: int) -> None:
    """Write down which process runs in this folder, so that a later session can end it if this one dies.

    Raises:
        OSError: it cannot be written.
    """
    try:
        began = created(psutil.Process(pid))
    except psutil.Error:
        return  # it has ended already: there is nothing to end later
    record = {"pid": pid, "created": began, "boot": boot(), "host": socket.gethostname()}
    (folder / FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")


def forget(folder: Path) -> None:
    """Take that note away again; fine if there is none."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink()


def reap(folder: Path) -> bool:
    """End what still runs in a run's folder after the session that started it died.

    Only a process whose pid and creation time are those written down, of this boot of this host, is ended, with all
    that it started. Where it is gone but others of its session live on, those that have this folder as
    TUNEWRIGHT_TRIAL_DIR are ended.

    Returns:
        True when something was alive and is dead now.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        pid, began, where = int(record["pid"]), float(record["created"]), (record["host"], record["boot"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if where != (socket.gethostname(), boot()) or pid <= 1:
        return False
    ended = False
    if _is(pid, began):
        # A dead leader that nobody has waited for still holds its pid, so its session is safely its own.
        ended = bool(members(pid)) and end(pid, grace_seconds=1.0)
    elif not psutil.pid_exists(pid):
        left = {process.pid: process for process in members(pid) if _runs_in(process, folder)}
        _signal(left, signal.SIGKILL)
        _, still = psutil.wait_procs(left.values(), timeout=_KILL_SECONDS)
        ended = bool(left) and not any(alive(process) for process in still)
    forget(folder)
    return ended


def _is(pid: int, began: float) -> bool:
    try:
        return abs(created(psutil.Process(pid)) - began) < CREATED_SLACK
    except psutil.Error:
        return False


def _runs_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("TUNEWRIGHT_TRIAL_DIR") == str(folder.absolute())
    except psutil.Error:
        return False
