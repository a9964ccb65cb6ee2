import threading

import pytest

from tunewright_tools.base import ToolSetupError
from tunewright_tools.device_pool import DevicePool


def test_each_has_its_own_and_one_waits() -> None:
    pool = DevicePool([0, 1, "MIG-1"])
    order: list[object] = []

    def third() -> None:
        with pool.lent(2, lambda: False) as devices:
            order.append(devices)

    with pool.lent(1, lambda: False) as one, pool.lent(1, lambda: False) as two:
        assert (one, two) == ((0,), (1,))
        waiting = threading.Thread(target=third)
        waiting.start()
        order.append("released")
    waiting.join(5)
    assert order[0] == "released"
    assert order[1] in [(1, "MIG-1"), (0, 1)]
    with pool.lent(3, lambda: False) as every:
        assert every == (0, 1, "MIG-1")


def test_giving_up_while_waiting() -> None:
    pool = DevicePool([0])
    with pool.lent(1, lambda: False), pool.lent(1, lambda: True) as none:
        assert none is None
    with pool.lent(1, lambda: True) as free:
        assert free == (0,)


def test_more_than_there_are() -> None:
    with pytest.raises(ToolSetupError, match="each run wants 2 GPUs, but 1 can be seen here"):
        DevicePool([0]).check(2)
