"""Shared by all tests: sockets beyond loopback are closed, so that a test which needs the network fails here too."""

import os
import socket
from typing import Any

import pytest

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
