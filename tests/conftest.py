"""Shared by all tests: sockets beyond loopback are closed, so that a test which needs the network fails here too."""

import os
import socket
from collections.abc import Iterator
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
def study(url: str) -> Iterator["Study"]:
    """A new study of the card of `record_worker.py`."""
    from record_worker import card

    from tunewright.study import Study

    made = Study.open(card(), url)
    yield made
    made.close()
