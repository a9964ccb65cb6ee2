import pytest

from tunewright.verbs.approval import Always, ApprovalRequest, Ask, Estimate, Never, Within


def spend(trials: int = 0, seconds: float | None = 0.0, usd: float | None = 0.0, **more: str) -> ApprovalRequest:
    return ApprovalRequest("run_trials", "spend", "run", estimate=Estimate(trials, seconds, usd), **more)  # type: ignore[arg-type]


DELETE = ApprovalRequest("delete_study", "delete", "delete the study x", needs_person="it deletes")


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(12, 2400.0, 0.03), "12 trials, about 40 minutes, 0.03 USD"),
        (Estimate(1, 40.0, 0.0), "1 trial, about 40 seconds, 0 USD"),
        (Estimate(3, None, None), "3 trials, time unknown, cost unknown"),
        (Estimate(0, 0.2, 0.0004), "about 1 second, 0.0004 USD"),
        (Estimate(40, 36_000.0, 12.0), "40 trials, about 10.0 hours, 12.00 USD"),
    ],
)
def test_an_estimate_in_words(estimate: Estimate, text: str) -> None:
    assert estimate.text() == text


def test_a_request_shows_the_estimate_the_command_and_who_asks() -> None:
    request = spend(2, None, 0.0, by="model", command="python train.py --lr '{lr}'", needs_person="it is new")
    assert request.text() == (
        "run: 2 trials, time unknown, 0 USD\neach trial runs: python train.py --lr '{lr}'\n"
        "asked for by the model\nit is new"
    )


def test_only_true_is_a_yes() -> None:
    assert Ask(lambda request: True).approve(DELETE)
    for answer in (False, None, "yes", 1):
        assert not Ask(lambda request, answer=answer: answer).approve(DELETE)  # type: ignore[arg-type, misc]
    assert Always().approve(DELETE)
    assert not Never().approve(spend())


def test_trials_are_counted_down_and_come_back() -> None:
    budget = Within(trials=5)
    assert budget.approve(spend(3))
    assert not budget.approve(spend(3))
    assert budget.approve(spend(2))
    assert not budget.approve(spend(1))
    budget.give_back(1)
    assert not budget.approve(spend(2))
    assert budget.approve(spend(1))


def test_what_is_not_limited_is_not_counted() -> None:
    trials, money = Within(trials=5), Within(usd=0.10)
    trials.use(seconds=1e6, usd=1e6)
    money.give_back(3)
    assert trials.approve(spend(5, 1e6, 1e6))
    assert money.approve(spend(10_000, 1e6, 0.10))
    assert (trials.left_usd(), money.left_usd()) == (None, 0.10)
    assert trials.used_up() is money.used_up() is None


def test_time_and_money_are_counted_as_they_are_used() -> None:
    budget = Within(hours=0.5, usd=0.10)
    assert not budget.approve(spend(1, 1801.0))
    assert not budget.approve(spend(1, 10.0, 0.11))
    assert budget.approve(spend(1, None, 0.10))
    budget.use(seconds=1200.0, usd=0.06)
    assert budget.left() == Estimate(0, 600.0, pytest.approx(0.04))  # type: ignore[arg-type]
    assert not budget.approve(spend(1, 700.0))
    assert not budget.approve(spend(1, 500.0, 0.05))
    assert budget.used_up() is None
    budget.use(seconds=700.0)
    assert budget.used_up() is not None
    assert not budget.approve(spend(1, None))


def test_an_unknown_price_is_not_covered_by_a_budget_of_money() -> None:
    assert not Within(usd=100.0).approve(spend(1, 1.0, None))
    assert Within(trials=1).approve(spend(1, 1.0, None))


def test_what_a_budget_does_not_cover_goes_to_another() -> None:
    asked: list[str] = []
    person = Ask(lambda request: asked.append(request.verb) is None)
    budget = Within(trials=10, otherwise=person)
    beyond, new = spend(11), spend(1, needs_person="its command was never approved")
    assert budget.approve(DELETE)
    assert budget.approve(beyond)
    assert budget.approve(new)
    assert asked == ["delete_study", "run_trials", "run_trials"]
    assert budget.meter(beyond) is None
    assert budget.left().trials == 10
    inside = spend(1)
    assert budget.approve(inside)
    assert budget.meter(inside) is budget
    assert not Within(trials=10).approve(DELETE)
