"""Who runs a trial, and whether they still live."""

import os
import socket
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 180.0
"""How long a lease holds unless it is renewed; a loop renews its leases every minute."""


@dataclass(frozen=True)
class Lease:
    """The process that runs a trial, told apart from any other that ever had its number."""

    pid: int
    created: float
    """When the process began, in seconds since that boot; Unix seconds where `boot` is empty."""
    host: str
    machine: str
    """The machine's own id, for hosts that share a name; empty where there is none."""
    boot: str
    """The id of the boot of the machine; empty where it is not known."""
    namespace: str
    """The container (PID namespace) in which `pid` counts; empty where it is not known."""
    until: float
    """Unix seconds; other machines, which cannot look at the process, go by this."""

    @classmethod
    def mine(cls) -> "Lease":
        """A lease of this process, from now on."""
        return replace(_me(os.getpid()), until=time.time() + SECONDS)

    def own(self) -> bool:
        """Whether it is this process's; in containers processes often have the same number."""
        return replace(self, until=0.0) == _me(os.getpid())

    def stale(self) -> bool:
        """Whether nobody runs the trial any more.

        Seen from the machine and container of the process: whether the process is gone. After a reboot: true, where
        the machine has an id (two machines of one name look like one that booted again). From anywhere else: whether
        the lease ran out.
        """
        me = _me(os.getpid())
        if (self.host, self.machine) == (me.host, me.machine):
            if self.boot != me.boot and self.machine:
                return True
            if (self.boot, self.namespace) == (me.boot, me.namespace):
                return not _lives(self.pid, self.created)
        return time.time() > self.until

    def holder(self) -> str:
        """The process, in words."""
        return f"process {self.pid} on {self.host}"

    def to_json(self) -> dict[str, Any]:
        """The lease as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Lease":
        """The lease that `to_json` wrote."""
        return cls(**{field.name: record[field.name] for field in fields(cls)})


def _lives(pid: int, created: float) -> bool:
    import psutil

    from tunewright_tools import process

    try:
        found = psutil.Process(pid)
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.created(found) - created) <= process.CREATED_SLACK
    except psutil.NoSuchProcess:
        return False


@cache
def _me(pid: int) -> Lease:  # keyed by the pid, so that a forked child gets its own
    import psutil

    from tunewright_tools import process

    return Lease(
        pid=pid,
        created=process.created(psutil.Process(pid)),
        host=socket.gethostname(),
        machine=_read("/etc/machine-id"),
        boot=process.boot(),
        namespace=_link("/proc/self/ns/pid"),
        until=0.0,
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
