"""Shared by all tests: sockets beyond loopback are closed, so that a test which needs the network fails here too."""

import gc
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tunewright.study import Study

# test processes and their children share as few as two cores: more threads of torch would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"tests may only reach loopback, not {address!r}")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a record that is not there yet."""
    return f"sqlite:///{tmp_path / 'tune.db'}"


@pytest.fixture
def no_model_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, address or price of a model in the environment, and no connection that a test forgot to close."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TUNEWRIGHT_PRICES"):
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()  # a socket left open is a warning, and so a failure, here


@pytest.fixture
def clock_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Show us the kernel's facts of a process as they are once somebody has set the clock back by an hour."""
    import psutil

    if not psutil.LINUX:
        pytest.skip("only Linux moves the time of its boot with the clock")

    def set_back(pid: int) -> None:
        shown = tmp_path / "proc"
        shown.mkdir()
        (shown / str(pid)).symlink_to(f"/proc/{pid}")
        stat = Path("/proc/stat").read_text()
        (shown / "stat").write_text(re.sub(r"btime (\d+)", lambda m: f"btime {int(m[1]) - 3600}", stat))
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(shown))

    return set_back


@pytest.fixture
def study(url: str) -> Iterator["Study"]:
    """A new study of the card of `record_worker.py`."""
    from record_worker import card

    from tunewright.study import Study

    made = Study.open(card(), url)
    yield made
    made.close()
