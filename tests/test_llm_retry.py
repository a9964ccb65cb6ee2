"""The retry layer alone, with a clock that only waiting moves."""

import email.utils
import time
from datetime import UTC, datetime, timedelta

import pytest

from tunewright.errors import ModelError
from tunewright.llm.retry import Budget, Fault, call_with_retries, parse_retry_after


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def status(code: int, after: str | None = None) -> Fault:
    headers = {"retry-after": after} if after else None
    return Fault(f"HTTP {code}", "wait", kind="status", status=code, headers=headers)


def run(
    faults: list[Exception], deadline_s: float = 1000.0, attempt_s: float = 0.0, **more: int
) -> tuple[str, Clock, int]:
    clock, left = Clock(), list(faults)
    calls = 0

    def attempt(seconds: float) -> str:
        nonlocal calls
        calls += 1
        assert 0 < seconds <= deadline_s
        clock.now += attempt_s
        if left:
            raise left.pop(0)
        return "reply"

    try:
        return call_with_retries(attempt, Budget(deadline_s, clock), sleep=clock.sleep, **more), clock, calls
    except ModelError as error:
        error.calls, error.clock = calls, clock  # type: ignore[attr-defined]
        raise


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504, 529])
def test_transient_status_is_tried_again(code: int) -> None:
    assert run([status(code)])[2] == 2


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422])
def test_other_status_is_not(code: int) -> None:
    with pytest.raises(ModelError) as caught:
        run([status(code)])
    assert caught.value.calls == 1  # type: ignore[attr-defined]
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", ["connection", "timeout"])
def test_broken_connections_and_timeouts_are_tried_again(kind: str) -> None:
    assert run([Fault("gone", "again", kind=kind)])[2] == 2  # type: ignore[arg-type]


def test_a_bug_is_not_tried_again() -> None:
    with pytest.raises(ZeroDivisionError):
        run([ZeroDivisionError()])


def test_a_final_fault_is_not_tried_again() -> None:
    with pytest.raises(ModelError) as caught:
        run([Fault("gone", "again", kind="connection", final=True)])
    assert caught.value.calls == 1  # type: ignore[attr-defined]
    assert caught.value.retryable


def test_retry_after_wins_over_backoff() -> None:
    _, clock, _ = run([status(429, "7"), status(500), status(503, "0")])
    assert clock.waits[0] == 7.0
    assert 0.5 <= clock.waits[1] <= 1.0  # the second backoff: 1 s, between half and all of it
    assert clock.waits[2] == 0.0


def test_backoff_grows_to_its_limit_with_jitter() -> None:
    waits = run([status(500)] * 8, max_requests=9)[1].waits
    for wait, full in zip(waits, [0.5, 1, 2, 4, 8, 16, 20, 20], strict=True):
        assert full / 2 <= wait <= full
    assert run([status(500)] * 8, max_requests=9)[1].waits != waits


def test_attempts_and_waits_share_one_deadline() -> None:
    with pytest.raises(ModelError) as caught:
        run([status(429, "4")] * 9, deadline_s=10.0, attempt_s=1.0)
    # 1 + 4 + 1 s are spent after the second request; a wait of 4 s leaves nothing, so the third is the last that fits.
    assert caught.value.clock.waits == [4.0]  # type: ignore[attr-defined]
    assert caught.value.calls == 2  # type: ignore[attr-defined]
    assert "2 requests, 6.0 s of 10 s" in caught.value.message
    assert caught.value.retryable


def test_a_wait_longer_than_what_is_left_is_not_begun() -> None:
    with pytest.raises(ModelError) as caught:
        run([status(429, "30")], deadline_s=20.0)
    assert caught.value.clock.waits == []  # type: ignore[attr-defined]
    assert "HTTP 429; it asks to be left alone for 30 s" in caught.value.message


def test_a_wait_of_more_than_a_minute_is_not_begun_nor_cut_short() -> None:
    """Asked again sooner, a server would refuse again."""
    with pytest.raises(ModelError, match="left alone for 3600 s") as caught:
        run([status(429, "3600")] * 9)
    assert caught.value.clock.waits == []  # type: ignore[attr-defined]
    assert caught.value.calls == 1  # type: ignore[attr-defined]
    assert run([status(429, "60")])[1].waits == [60.0]


def test_requests_are_limited() -> None:
    with pytest.raises(ModelError, match=r"HTTP 500 \(gave up after 3 requests"):
        run([status(500)] * 9, max_requests=3)


def test_retry_after_forms() -> None:
    assert parse_retry_after("2") == 2.0
    assert parse_retry_after("0.25") == 0.25
    assert parse_retry_after("-3") == 0.0
    assert parse_retry_after("100000") == 100_000.0
    assert parse_retry_after("soon") is None
    assert parse_retry_after("nan") is None
    assert parse_retry_after(None) is None
    ahead = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    seconds = parse_retry_after(ahead)
    assert seconds is not None
    assert 17 < seconds <= 20
    assert parse_retry_after(email.utils.formatdate(time.time() - 60)) == 0.0
    far = parse_retry_after("Wed, 21 Oct 2099 07:28:00 GMT")
    assert far is not None
    assert far > 365 * 86_400
