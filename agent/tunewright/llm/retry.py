"""The one retry layer: which failures of a model call are tried again, and after how long.

The libraries' own retries are off (`max_retries=0`), because theirs multiply with ours and also repeat a 400.
"""

import email.utils
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from tunewright.errors import ModelError

T = TypeVar("T")
Kind = Literal["status", "connection", "timeout", "reply"]

RETRIED_STATUS = frozenset({408, 409, 429})
MAX_REQUESTS = 6
LONGEST_RETRY_AFTER_S = 60.0
"""A longer wait than this is not begun: trials go on without the reply."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 20.0


class Fault(ModelError):  # noqa: N818
    """One failed exchange with an endpoint.

    Args:
        kind: an HTTP status, a broken connection, no answer in time, or an answer that is no chat completion.
        status: the HTTP status, where there was one.
        headers: those of the answer; only Retry-After is read.
        final: do not try again although the kind would allow it (text of a broken reply was already shown).
        no_credit: see `ModelError`; such a fault is never tried again.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        *,
        kind: Kind,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        final: bool = False,
        no_credit: bool = False,
    ) -> None:
        transient = kind in ("connection", "timeout") or (status is not None and is_transient(status))
        super().__init__(message, hint, retryable=transient and not no_credit, no_credit=no_credit)
        self.kind = kind
        self.status = status
        self.final = final
        self.retry_after_s = parse_retry_after((headers or {}).get("retry-after"))


class Budget:
    """The seconds that one exchange may take, shared by all its attempts, waits and changes of form."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._start = clock()

    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def left(self) -> float:
        """Seconds left; 0 when it is used up."""
        return max(0.0, self.seconds - self.spent())


def is_transient(status: int) -> bool:
    """Whether the same request may get another answer later: 408, 409, 429 and 5xx."""
    return status in RETRIED_STATUS or 500 <= status <= 599


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for; None when it is absent or unreadable.

    Both forms of RFC 9110, section 10.2.3 are read: a number of seconds (fractions too) and an HTTP date.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        if when.tzinfo is None:  # "-0000" and dates without a zone are UTC by RFC 5322
            when = when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    if seconds != seconds:  # "nan" is a float to Python
        return None
    return max(0.0, seconds)


def call_with_retries(
    attempt: Callable[[float], T],
    budget: Budget,
    *,
    sleep: Callable[[float], None] = time.sleep,
    max_requests: int = MAX_REQUESTS,
) -> T:
    """Return what `attempt(seconds_left)` returns, tried again after 408/409/429/5xx, broken connections and timeouts.

    A Retry-After wins over the backoff, which is 0.5 s doubled each time up to 20 s, each wait drawn between half and
    all of that. All attempts and waits share `budget`; a wait that would use it up is not begun, nor one of more
    than a minute; where a server asked for it, the error says so.

    Raises:
        Fault: a `ModelError`, the last failure, with the number of requests made.
    """
    import tenacity

    def failure(state: tenacity.RetryCallState) -> Fault | None:
        error = state.outcome.exception() if state.outcome is not None else None
        return error if isinstance(error, Fault) else None

    def wait(state: tenacity.RetryCallState) -> float:
        fault = failure(state)
        if fault is not None and fault.retry_after_s is not None:
            return fault.retry_after_s
        backoff = min(_FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), _LONGEST_WAIT_S)
        return backoff * random.uniform(0.5, 1.0)

    def stop(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= max_requests or too_long(state.upcoming_sleep)

    def too_long(wait_s: float) -> bool:
        return wait_s >= budget.left() or wait_s > LONGEST_RETRY_AFTER_S

    retrying = tenacity.Retrying(
        sleep=sleep,
        wait=wait,
        stop=stop,
        retry=lambda state: (fault := failure(state)) is not None and fault.retryable and not fault.final,
        reraise=True,
    )
    try:
        return retrying(lambda: attempt(budget.left()))
    except Fault as fault:
        requests = int(retrying.statistics.get("attempt_number", 1))
        if requests > 1 or fault.kind == "timeout":
            times = f"{requests} requests" if requests > 1 else "1 request"
            fault.message += f" (gave up after {times}, {budget.spent():.1f} s of {budget.seconds:g} s)"
        if fault.retry_after_s is not None and too_long(fault.retry_after_s):
            fault.message += f"; it asks to be left alone for {fault.retry_after_s:.0f} s"
        raise
