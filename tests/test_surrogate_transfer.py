"""Transfer: how far an earlier study is believed, and what believing it does to the surrogate."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from tunewright.acquisition import suggest
from tunewright.card import TaskCard
from tunewright.earlier import Earlier, Row, fitting
from tunewright.encoding import Encoding
from tunewright.gp import Fitted, Prior, Shape
from tunewright.space import Choice, Float, Space
from tunewright.surrogate import Surrogate, fit
from tunewright.surrogate_transfer import FEWEST_PAST, Joined, Transfer, rank_weights
from tunewright.trial import Trial
from tunewright_tools.base import Config, Outcome

SPACE = Space(Float("x", -1.0, 1.0), Float("y", 1e-3, 1.0, log=True), Choice("kind", ["a", "b", "c"]))
AT = SPACE.sample(200, seed=7)


def card(**other: Any) -> TaskCard:
    return TaskCard(**{"goal": "g", "space": SPACE, "metric": "loss", "direction": "minimize", **other})


def loss(c: Config) -> float:
    return float((c["x"] - 0.3) ** 2 + 0.3 * (math.log10(c["y"]) + 1) ** 2 + 0.1 * (c["kind"] != "b"))


def noise(c: Config) -> float:
    return float(np.random.default_rng(int(1e6 * abs(c["x"] + c["y"]))).normal())


def earlier(of: Any, n: int = 30, name: str = "past", **more: Any) -> Earlier:
    return fitting(name, card(), [Row(c, {"loss": of(c)}, "done") for c in SPACE.sample(n, 5)], **more)


def trials(n: int) -> list[Trial]:
    return [
        Trial(i, c, "sobol", status="done", outcome=Outcome("done", {"loss": loss(c)}))
        for i, c in enumerate(SPACE.sample(n, 0))
    ]


def surrogate(n: int, *sets: Earlier, seed: int = 0) -> Surrogate:
    made = fit(card(), trials(n), seed=seed, transfer=Transfer(card(), sets, 0))
    assert made is not None
    return made


# -- how far it is believed --------------------------------------------------------------------------------------------


def weights(y: list[float], means: list[list[float]], left_out: list[float]) -> list[float]:
    return rank_weights(np.array(y), np.array(means), np.array(left_out), np.random.default_rng(0)).tolist()


def test_the_order_alone_decides_the_weights() -> None:
    y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    right, wrong, even = [-9.0, 0.0, 0.1, 5.0, 50.0, 51.0], [-v for v in y], [0.0] * 6
    assert weights(y, [right], even)[0] > 0.95
    assert weights(y, [wrong], even) == [0.0]
    assert weights(y, [even], even) == [0.0]  # no better than a coin
    assert weights(y, [[4.0, 2.0, 1.0, 3.0, 5.0, 6.0]], even)[0] < weights(y, [right], even)[0]
    assert weights([1.0, 2.0, 3.0], [[1.0, 3.0, 2.0]], [0.0] * 3)[0] < 0.5  # of three trials: luck
    assert weights(y, [right], right) == [0.0]  # no better than what is known without it
    both = weights(y, [right, wrong, right], even)
    assert both[1] == 0.0
    assert both[0] == both[2] > 0.45
    assert sum(both) <= 1.0


def test_values_that_are_all_equal_say_nothing_of_agreement() -> None:
    assert weights([2.0] * 5, [[1.0, 2.0, 3.0, 4.0, 5.0]], [0.0] * 5) == [0.0]


def test_a_study_of_a_like_task_is_believed_and_one_of_the_contrary_is_not() -> None:
    same, against = earlier(lambda c: 3 + 10 * loss(c), name="same"), earlier(lambda c: -loss(c), name="against")
    found = surrogate(8, same, against).agreement
    assert found["same"] > 0.5
    assert found["against"] == 0.0


def test_a_study_that_says_nothing_leaves_the_surrogate_as_it_is() -> None:
    plain = fit(card(), trials(8), seed=0)
    assert plain is not None
    against = surrogate(8, earlier(lambda c: -loss(c)))
    np.testing.assert_array_equal(against.log_acquisition(AT), plain.log_acquisition(AT))
    np.testing.assert_array_equal(against.predict(AT).std, plain.predict(AT).std)


def test_the_very_same_task_is_believed_before_it_is_known_to_agree() -> None:
    assert surrogate(2, earlier(loss)).agreement == {"past": 0.0}
    sure = surrogate(2, earlier(loss, same_task=True))
    assert sure.agreement["past"] > 0.6
    assert surrogate(14, earlier(lambda c: -loss(c), same_task=True)).agreement["past"] < 0.3


def test_too_few_values_and_several_metrics_are_not_modelled() -> None:
    few = Transfer(card(), [earlier(loss, FEWEST_PAST - 1)], 0)
    assert few.bases == []
    two = card(metric=None, direction=None, metrics=[{"name": m, "direction": "minimize"} for m in ("loss", "cost")])
    past = fitting("past", two, [Row(c, {"loss": loss(c), "cost": 1.0}, "done") for c in SPACE.sample(9, 1)])
    made = Transfer(two, [past], 0)
    assert made.bases == []
    assert "starting points alone" in made.note


# -- what believing it does --------------------------------------------------------------------------------------------


def test_predictions_are_better_and_on_the_persons_scale() -> None:
    truth = np.array([loss(c) for c in AT])
    alone, helped = surrogate(6), surrogate(6, earlier(lambda c: 3 + 10 * loss(c)))
    wrong_alone, wrong_helped = (np.abs(s.predict(AT).mean - truth).mean() for s in (alone, helped))
    assert wrong_helped < 0.6 * wrong_alone
    assert (helped.predict(AT).std > 0).all()


def test_the_same_record_and_seed_give_the_same_numbers() -> None:
    a, b = (surrogate(6, earlier(lambda c: loss(c) + 0.1 * noise(c)), seed=3) for _ in range(2))
    np.testing.assert_array_equal(a.log_acquisition(AT), b.log_acquisition(AT))
    assert a.agreement == b.agreement


def test_a_suggestion_can_run_and_pending_trials_count() -> None:
    helped = surrogate(6, earlier(loss))
    chosen = suggest(helped, card(), trials(6), n=3, seed=0)
    assert len({SPACE.key(s.config) for s in chosen}) == 3
    before, after = helped.standardised([chosen[0].config])[1], helped.with_pending([chosen[0].config])
    assert after.standardised([chosen[0].config])[1] < before
    assert sum(helped.relevance().values()) == pytest.approx(1)


def test_what_the_earlier_study_does_not_explain_is_left_to_a_process_of_its_own() -> None:
    made = surrogate(6, earlier(lambda c: 3 + 10 * loss(c) + 0.3 * noise(c)))._value
    assert isinstance(made, Joined)
    ((past, slope),) = made.parts
    explained = made.offset + slope * past.posterior(made.X)[0][0]
    torch.testing.assert_close(explained + made.size * made.own.y, made.y)
    assert float(made.own.y.mean()) == pytest.approx(0, abs=1e-9)
    assert 0 < slope < 1  # both are standardised, and the ridge draws to nothing
    left = made.size * made.own.y
    assert made.size**2 == pytest.approx(float((left @ left + 3) / (len(left) + 3)))  # as if of three more of size 1


def joined() -> tuple[Joined, Fitted, Fitted]:
    generator = torch.Generator().manual_seed(0)
    shape, prior = Shape(np.arange(2)), Prior.for_groups(2)
    base = Fitted(
        torch.rand(9, 2, generator=generator).double(),
        torch.randn(9, generator=generator).double(),
        torch.zeros(1, 4).double(),
        shape,
        prior,
    )
    X, y = torch.rand(5, 2, generator=generator).double(), torch.linspace(-1, 1, 5).double()
    own = Fitted(X, y, 0.3 * torch.randn(3, 4, generator=generator).double(), shape, prior)
    return Joined(X, y, own, own, [(base, 0.7)], 0.2, 0.5), base, own


def test_the_posterior_is_that_of_the_dense_formula() -> None:
    made, base, own = joined()
    A = torch.rand(4, 2, generator=torch.Generator().manual_seed(1)).double()
    rows = torch.cat([made.X, A])

    k = base.settings.covariance  # f_0 given the earlier trials
    KD = k(base.X, base.X)[0] + (base.settings.noise[0] + 1e-8) * torch.eye(9)
    gain = k(rows, base.X)[0] @ torch.linalg.inv(KD)
    mean0 = gain @ base.y
    cov0 = k(rows, rows)[0] - gain @ k(base.X, rows)[0]
    mean, variance = made.posterior(A)
    for s in range(3):  # f = a + b f_0 + s g, conditioned on y
        prior = 0.2 + 0.7 * mean0
        K = 0.49 * cov0 + 0.25 * own.settings.covariance(rows, rows)[s]
        noisy = K[:5, :5] + (0.25 * own.settings.noise[s] + 1e-8) * torch.eye(5)
        solve = K[5:, :5] @ torch.linalg.inv(noisy)
        torch.testing.assert_close(mean[s], prior[5:] + solve @ (made.y - prior[:5]), rtol=1e-6, atol=1e-8)
        expected = (K[5:, 5:] - solve @ K[:5, 5:]).diagonal()
        torch.testing.assert_close(variance[s], expected, rtol=1e-5, atol=1e-7)


def test_a_gradient_flows_through_the_earlier_process() -> None:
    made, _, _ = joined()
    x = torch.rand(2, 2, generator=torch.Generator().manual_seed(2)).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda t: made.posterior(t), (x,))


def test_believing_rows_takes_their_uncertainty_and_keeps_their_mean() -> None:
    made, _, _ = joined()
    A = torch.rand(1, 2, generator=torch.Generator().manual_seed(3)).double()
    after = made.believing(A)
    torch.testing.assert_close(after.posterior(A)[0], made.posterior(A)[0], rtol=1e-4, atol=1e-5)
    assert (after.posterior(A)[1] < made.posterior(A)[1]).all()


def test_left_out_means_are_those_of_processes_without_that_row() -> None:
    _, base, _ = joined()
    for i in range(3):
        keep = [j for j in range(9) if j != i]
        without = Fitted(base.X[keep], base.y[keep], base.theta, base.shape, base.prior)
        assert float(base.left_out()[i]) == pytest.approx(float(without.posterior(base.X[i : i + 1])[0]), abs=1e-6)


def test_a_value_beyond_the_bounds_is_learned_from_where_it_is() -> None:
    rows = [Row(c, {"loss": loss(c)}, "done") for c in SPACE.sample(8, 1)]
    past = fitting("past", card(), [*rows, Row({"x": 1.5, "y": 0.1, "kind": "a"}, {"loss": 9.0}, "done")])
    made = Transfer(card(), [past], 0).bases[0].model
    encoding = Encoding(SPACE)
    assert made.X[-1, encoding.groups == 0].tolist() == [1.25]
    assert (made.X[:-1] >= 0).all()
    assert (made.X[:-1] <= 1).all()


def test_a_long_record_is_thinned_to_its_best_and_a_spread_of_the_rest() -> None:
    made = Transfer(card(), [earlier(loss, 900)], 0).bases[0].model
    assert len(made.y) == 400
    kept = earlier(loss, 900).trials
    best = min(kept, key=lambda t: t.metrics["loss"])
    row = torch.as_tensor(Encoding(SPACE).encode([best.config]))
    assert (row == made.X).all(1).any()
