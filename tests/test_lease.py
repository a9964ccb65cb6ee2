import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tunewright.lease import SECONDS, Lease
from tunewright_tools.process import created


def test_the_lease_of_a_living_process_holds_however_old_it_is():
    mine = Lease.mine()
    assert mine.pid == os.getpid()
    assert not mine.stale()
    assert not replace(mine, until=0.0).stale()
    assert 0 < mine.until - time.time() <= SECONDS


def test_a_process_knows_its_own_leases_from_those_of_others():
    mine = Lease.mine()
    assert mine.own()
    assert replace(mine, until=mine.until + 60).own()
    for other in ({"pid": mine.pid + 1}, {"created": 1.0}, {"namespace": "pid:[1]"}, {"host": "elsewhere"}):
        assert not replace(mine, **other).own()


@pytest.mark.skipif(not psutil.LINUX, reason="where other systems keep these is not known")
def test_a_lease_names_the_container_and_the_machine():
    assert Lease.mine().namespace == os.readlink("/proc/self/ns/pid")
    machine = Path("/etc/machine-id")
    assert Lease.mine().machine == (machine.read_text().strip() if machine.exists() else "")


def test_the_lease_of_a_dead_process_is_stale_at_once():
    p = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = replace(Lease.mine(), pid=p.pid, created=created(psutil.Process(p.pid)))
    assert not theirs.stale()
    p.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(p.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert theirs.stale()  # dead, and not yet waited for
    p.communicate()
    assert theirs.stale()


def test_the_lease_of_a_living_process_holds_when_the_clock_is_set(clock_set_back):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as p:
        theirs = replace(Lease.mine(), pid=p.pid, created=created(psutil.Process(p.pid)))
        clock_set_back(p.pid)
        assert not theirs.stale()


def test_a_process_number_that_was_given_again_does_not_count():
    assert replace(Lease.mine(), created=Lease.mine().created - 60).stale()


def test_a_child_has_a_lease_of_its_own():
    read, write = os.pipe()
    mine = Lease.mine()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(Lease.mine().pid).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert int(os.read(read, 20)) == pid != mine.pid


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"until": 0.0}, True),
        ({}, False),
        ({"host": "elsewhere", "pid": 2**22 + 1}, False),
        ({"host": "elsewhere", "until": 0.0}, True),
        ({"machine": "another of that name", "boot": "b", "until": 0.0}, True),
        ({"machine": "another of that name", "boot": "b"}, False),
        ({"boot": "before the reboot"}, True),
        ({"namespace": "pid:[1]", "pid": 2**22 + 1}, False),
        ({"namespace": "pid:[1]", "until": 0.0}, True),
    ],
)
def test_where_the_process_cannot_be_seen_the_time_decides(monkeypatch, changes, stale):
    import tunewright.lease

    here = replace(Lease.mine(), machine="m1")
    monkeypatch.setattr(tunewright.lease, "_me", lambda pid: here)
    theirs = replace(here, until=time.time() + 100)
    if not changes or changes == {"until": 0.0}:
        changes = {"host": "elsewhere", **changes}
    assert replace(theirs, **changes).stale() is stale


def test_without_a_machine_id_another_boot_may_be_another_machine(monkeypatch):
    import tunewright.lease

    here = replace(Lease.mine(), machine="")
    monkeypatch.setattr(tunewright.lease, "_me", lambda pid: here)
    theirs = replace(here, boot="another", until=time.time() + 100)
    assert not theirs.stale()
    assert replace(theirs, until=0.0).stale()


def test_json_gives_it_back():
    mine = Lease.mine()
    assert Lease.from_json(mine.to_json()) == mine
    assert mine.holder() == f"process {os.getpid()} on {mine.host}"
