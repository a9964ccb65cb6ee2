"""The Gaussian process: gradient, agreement with GPyTorch, members, hard cases."""

import math

import gpytorch
import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime
from threadpoolctl import threadpool_info, threadpool_limits

from tunewright import gp

PRIOR = gp.Prior.for_groups(3)
SHAPE = gp.Shape(np.array([0, 1, 2, 2]))


def _data(n: int = 14, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.random((n, d))
    y = np.sin(5 * X[:, 0]) + X[:, 1] ** 2
    return X, (y - y.mean()) / y.std()


def test_the_gradient_is_that_of_the_loss() -> None:
    X, y = (torch.as_tensor(v) for v in _data())
    theta = np.random.default_rng(0).standard_normal(SHAPE.n_parameters)

    def loss(flat: np.ndarray) -> float:
        return float(gp.loss_and_gradient(torch.as_tensor(flat)[None], X, y, SHAPE, PRIOR)[0])

    _, gradient = gp.loss_and_gradient(torch.as_tensor(theta)[None], X, y, SHAPE, PRIOR)
    np.testing.assert_allclose(gradient[0].numpy(), approx_fprime(theta, loss, 1e-6), rtol=2e-3, atol=2e-3)


class _Reference(gpytorch.models.ExactGP):  # type: ignore[misc]
    def __init__(self, X: torch.Tensor, y: torch.Tensor, settings: gp.Settings) -> None:
        likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
        super().__init__(X, y, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        matern = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=X.shape[1]))
        self.covar_module = matern.double()
        likelihood.noise_covar.register_constraint("raw_noise", gpytorch.constraints.GreaterThan(1e-9))
        matern.base_kernel.lengthscale = 1 / settings.inverse_length[0]
        matern.outputscale = settings.signal[0]
        likelihood.noise = settings.noise[0] + 1e-8

    def forward(self, X: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(X), self.covar_module(X))


def test_likelihood_and_posterior_agree_with_gpytorch() -> None:
    X, y = (torch.as_tensor(v) for v in _data())
    theta = torch.as_tensor(np.random.default_rng(3).standard_normal((1, SHAPE.n_parameters)) * 0.3)
    settings = gp.Settings.of(theta, SHAPE, PRIOR)
    reference = _Reference(X, y, settings)
    reference.train()
    with torch.no_grad():
        expected = -reference.likelihood(reference(X)).log_prob(y)
    loss, _ = gp.loss_and_gradient(theta, X, y, SHAPE, PRIOR)
    assert float(loss[0]) == pytest.approx(float(expected), abs=1e-5)
    reference.eval()
    at = torch.as_tensor(np.random.default_rng(4).random((5, 4)))
    mean, variance = gp.Fitted(X, y, theta, SHAPE, PRIOR).posterior(at)
    with torch.no_grad():
        posterior = reference(at)
    np.testing.assert_allclose(mean[0], posterior.mean, atol=1e-5)
    np.testing.assert_allclose(variance[0], posterior.variance, atol=1e-5)


def test_members_agree_where_the_data_speak_and_differ_where_they_are_silent() -> None:
    X, y = _data(40)
    shape = gp.Shape(np.arange(4))
    model = gp.fit(X, y, shape, gp.Prior.for_groups(4), members=8, iterations=60, rng=np.random.default_rng(0))
    log_length = -model.settings.inverse_length.log()
    spread = log_length.std(0)
    assert spread[0] < spread[2]
    assert spread[0] < spread[3]
    assert log_length.mean(0)[0] < log_length.mean(0)[2]
    mean, _ = model.posterior(torch.as_tensor(X))
    assert float((mean.mean(0) - torch.as_tensor(y)).abs().max()) < 0.2


def test_far_from_data_the_process_is_unsure() -> None:
    X, y = _data(10)
    model = gp.fit(X * 0.2, y, SHAPE, PRIOR, members=4, iterations=40, rng=np.random.default_rng(0))
    _, near = model.posterior(torch.as_tensor(X * 0.2))
    _, far = model.posterior(torch.ones((1, 4), dtype=torch.double))
    assert float(far.mean()) > 10 * float(near.mean())


@pytest.mark.parametrize("y", [[0.0], [0.0, 0.0, 0.0], [-1.0, 1.0], [1.0, 1.0, -1.0]])
def test_few_equal_or_constant_values(y: list[float]) -> None:
    X = np.tile(np.linspace(0, 1, len(y))[:, None], (1, 4))
    model = gp.fit(X, np.array(y), SHAPE, PRIOR, members=4, iterations=30, rng=np.random.default_rng(0))
    mean, variance = model.posterior(torch.rand((7, 4), dtype=torch.double, generator=torch.Generator().manual_seed(0)))
    assert model.note == ""
    assert bool(torch.isfinite(mean).all())
    assert bool((variance > 0).all())


def test_repeats_with_different_values_are_noise() -> None:
    X = np.full((12, 4), 0.5)
    X[6:] = 0.9
    y = np.tile([-1.0, 1.0], 6)
    model = gp.fit(X, y, SHAPE, PRIOR, members=2, iterations=60, rng=np.random.default_rng(0))
    mean, _ = model.posterior(torch.as_tensor(X))
    assert float(model.settings.noise.min()) > 0.3
    assert float(mean.abs().max()) < 0.3


def test_believing_keeps_the_mean_and_shrinks_the_spread() -> None:
    X, y = _data(8)
    model = gp.fit(X, y, SHAPE, PRIOR, members=3, iterations=40, rng=np.random.default_rng(0))
    at = torch.full((1, 4), 0.37, dtype=torch.double)
    mean, variance = model.posterior(at)
    after = model.believing(at)
    mean_after, variance_after = after.posterior(at)
    np.testing.assert_allclose(mean_after, mean, atol=1e-6)
    assert bool((variance_after < variance).all())
    assert model.believing(at[:0]) is model


def test_many_rows_are_answered_as_one_by_one_and_as_with_a_gradient() -> None:
    X, y = _data(8)
    model = gp.fit(X, y, SHAPE, PRIOR, members=3, iterations=40, rng=np.random.default_rng(0))
    at = torch.as_tensor(np.random.default_rng(4).random((3 * gp._BLOCK + 1, 4)))
    single = [model.posterior(at[i : i + 1]) for i in range(len(at))]
    traced = model.posterior(at.clone().requires_grad_(True))
    for i, answer in enumerate(model.posterior(at)):
        torch.testing.assert_close(answer, torch.cat([one[i] for one in single], 1))
        assert torch.equal(answer, traced[i])
    few = at[:3].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(model.posterior, (few,))


def test_a_covariance_that_cannot_be_factorised_says_so() -> None:
    X, _ = _data(6)
    with pytest.raises(gp.NotPositiveDefiniteError, match="positive definite"):
        gp.Fitted(
            torch.as_tensor(X),
            torch.full((6,), math.nan, dtype=torch.double),
            torch.full((1, SHAPE.n_parameters), math.nan, dtype=torch.double),
            SHAPE,
            PRIOR,
        )


def test_one_thread_for_the_block_alone() -> None:
    def blas() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threadpool_limits(2, user_api="blas"):
            with gp.one_thread():
                assert torch.get_num_threads() == 1
                assert blas() == {1}
            assert torch.get_num_threads() == 2
            assert blas() == {2}
    finally:
        torch.set_num_threads(before)
