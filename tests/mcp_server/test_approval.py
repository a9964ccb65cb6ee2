from dataclasses import replace

from tunewright.mcp_server.approval import Elicited, Turn, enter
from tunewright.verbs.approval import ApprovalRequest, Estimate

ASKED = ApprovalRequest(
    "extend_budget", "spend", "raise the budget of the study toy: trials 8 -> 12", study="toy", estimate=Estimate(4)
)


def answered_yes(request: ApprovalRequest) -> tuple[bool, Turn]:
    """What comes of a call whose second round asks for `request`, once the person said yes to `ASKED`."""
    turn = Turn(granted=ASKED)
    enter(turn)
    try:
        return Elicited().approve(request), turn
    finally:
        enter(Turn())


def test_a_yes_still_counts_when_the_estimate_moved_while_the_person_thought() -> None:
    said, turn = answered_yes(replace(ASKED, estimate=Estimate(4, 20.0, 0.1)))
    assert said
    assert turn.granted is None  # one yes, one deed
    assert turn.wanted is None


def test_a_yes_counts_for_nothing_else() -> None:
    for other in (
        replace(ASKED, what="raise the budget of the study toy: trials 12 -> 16"),
        replace(ASKED, study="tower"),
        replace(ASKED, command="rm -r /"),
        replace(ASKED, needs_person="it raises a limit"),
    ):
        said, turn = answered_yes(other)
        assert not said
        assert turn.wanted == other
