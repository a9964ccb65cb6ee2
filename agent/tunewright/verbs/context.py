"""Who calls, and what was granted to this call: set by `call`, read where a request is made or a run starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tunewright.errors import TunerError
from tunewright.verbs.approval import ApprovalRequest, By

_caller: ContextVar[By] = ContextVar("caller", default="person")
_granted: ContextVar[ApprovalRequest | None] = ContextVar("granted", default=None)


@contextmanager
def caller(by: By) -> Iterator[None]:
    """A block in which `calling` says who calls."""
    token = _caller.set(by)
    try:
        yield
    finally:
        _caller.reset(token)


def calling() -> By:
    """Who called the verb."""
    return _caller.get()


@contextmanager
def granted(request: ApprovalRequest | None) -> Iterator[None]:
    """A block in which `grant` gives the request that was approved."""
    token = _granted.set(request)
    try:
        yield
    finally:
        _granted.reset(token)


def grant() -> ApprovalRequest:
    """The approved request of this call.

    Raises:
        TunerError: there is none: a run is only started through `call`, which asks first.
    """
    request = _granted.get()
    if request is None:
        raise TunerError(
            "nothing was approved for this call", "start it through tunewright.verbs.call, which asks first"
        )
    return request
