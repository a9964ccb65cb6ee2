"""Whose turn a GPU is: each run gets some of its own, and waits while too few are free."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .base import ToolSetupError

_LOOK_SECONDS = 0.1


class DevicePool:
    """GPUs and MIG slices that the runs of this process share out among themselves.

    Processes do not know of each other's runs: give each its own part in CUDA_VISIBLE_DEVICES.

    Args:
        devices: indices and UUIDs, as `gpus.visible` lists them.
    """

    def __init__(self, devices: Sequence[int | str]) -> None:
        self._all = tuple(devices)
        self._free = list(devices)
        self._changed = threading.Condition()

    def check(self, count: int) -> None:
        """Raise `ToolSetupError` when a run that wants so many would wait for ever."""
        if count > len(self._all):
            raise ToolSetupError(
                f"each run wants {count} GPU{'s' if count > 1 else ''}, but {len(self._all)} can be seen here",
                "ask for fewer a run, or look at CUDA_VISIBLE_DEVICES and nvidia-smi",
            )

    @contextmanager
    def lent(self, count: int, given_up: Callable[[], bool]) -> Iterator[tuple[int | str, ...] | None]:
        """So many devices for the time of the block; None if `given_up` came true while it waited for them.

        Raises:
            ToolSetupError: there are not so many in all.
        """
        self.check(count)
        with self._changed:
            while len(self._free) < count:
                if given_up():
                    break
                self._changed.wait(_LOOK_SECONDS)
            taken = self._free[:count] if len(self._free) >= count else None
            del self._free[: len(taken or ())]
        try:
            yield None if taken is None else tuple(taken)
        finally:
            with self._changed:
                # In the order of the machine again, so that the same devices are lent first.
                self._free = [device for device in self._all if device in (*self._free, *(taken or ()))]
                self._changed.notify_all()
