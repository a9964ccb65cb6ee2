"""The approver that a person's options on the command line ask for."""

from tunewright.errors import CardError
from tunewright.verbs.approval import Always, Approver, Within


def approver(
    asker: Approver, *, yes: bool, trials: int | None = None, hours: float | None = None, usd: float | None = None
) -> Approver:
    """`Always` for --yes, a budget that asks beyond itself where one is stated, else the asker alone.

    Raises:
        CardError: --yes beside a budget.
    """
    budget = trials is not None or hours is not None or usd is not None
    if yes and budget:
        raise CardError("--yes and a budget were given together", "keep one: --yes approves without any limit")
    if yes:
        return Always()
    return Within(trials=trials, hours=hours, usd=usd, otherwise=asker) if budget else asker
