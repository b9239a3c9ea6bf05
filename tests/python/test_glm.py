"""Generalised linear models: by hand, against statsmodels, and where they have no maximum."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from imagestrata.regression.glm import Binary, Counts, fit_glm

RNG = np.random.default_rng(7)
N = 400
X = np.column_stack([np.ones(N), RNG.normal(size=N), RNG.integers(0, 2, N)])
ETA = X @ [0.4, 0.5, -0.8]
OFFSET = RNG.normal(size=N) / 3
WEIGHT = RNG.integers(1, 5, N).astype(float)
MEAN = np.exp(ETA + OFFSET)
POISSON = RNG.poisson(MEAN).astype(float)
OVERDISPERSED = RNG.negative_binomial(1.5, 1.5 / (1.5 + MEAN)).astype(float)
YES = (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(float)


def agree(found, expected):
    assert found.converged and expected.converged
    assert np.allclose(found.coef, expected.params, rtol=1e-9, atol=1e-11)
    assert np.allclose(found.fitted, expected.mu, rtol=1e-9)
    assert np.isclose(found.deviance, expected.deviance, rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "ours", "theirs"),
    [
        (POISSON, Counts(), sm.families.Poisson()),
        (OVERDISPERSED, Counts(1.5), sm.families.NegativeBinomial(alpha=1 / 1.5)),
        (OVERDISPERSED, Counts(50.0), sm.families.NegativeBinomial(alpha=1 / 50)),
        (YES, Binary(), sm.families.Binomial()),
    ],
)
def test_estimates_are_those_of_statsmodels(y, ours, theirs):
    precise = {"tol_criterion": "params", "tol": 1e-11, "rtol": 0, "maxiter": 200}
    agree(fit_glm(y, X, ours), sm.GLM(y, X, family=theirs).fit(**precise))
    model = sm.GLM(y, X, family=theirs, offset=OFFSET, freq_weights=WEIGHT)
    found = fit_glm(y, X, ours, offset=OFFSET, weight=WEIGHT)
    agree(found, model.fit(**precise))
    again = fit_glm(y, X, ours, offset=OFFSET, weight=WEIGHT, start=found.coef)
    assert np.allclose(again.coef, found.coef, rtol=1e-9)


def test_groups_have_their_means():
    """With a dummy variable alone, fitted values are means of groups; coefficients, differences."""
    x = np.array([[1, 0], [1, 0], [1, 1], [1, 1.0]])
    counts = fit_glm(np.array([1.0, 3, 8, 8]), x, Counts())
    assert np.allclose(counts.fitted, [2, 2, 8, 8])
    assert np.allclose(counts.coef, [np.log(2), np.log(4)])
    assert np.isclose(counts.deviance, 2 * (np.log(1 / 2) + 3 * np.log(3 / 2)))
    x = np.repeat([[1, 0], [1, 1.0]], 4, axis=0)
    shares = fit_glm(np.array([1.0, 0, 0, 0, 1, 1, 1, 0]), x, Binary())
    assert np.allclose(shares.fitted, np.repeat([0.25, 0.75], 4))
    assert np.allclose(shares.coef, [-np.log(3), 2 * np.log(3)])


def test_a_weight_is_a_number_of_equal_rows():
    weight = WEIGHT.astype(int)
    repeated = np.repeat(np.arange(N), weight)
    one = fit_glm(YES, X, Binary(), weight=WEIGHT)
    many = fit_glm(YES[repeated], X[repeated], Binary())
    assert np.allclose(one.coef, many.coef)
    assert np.isclose(one.deviance, many.deviance)


def test_a_group_without_any_count_goes_to_zero():
    """The estimate is minus infinity: the fit comes close to it, and that is for callers to see."""
    x = np.array([[1, 0], [1, 0], [1, 1], [1, 1.0]])
    found = fit_glm(np.array([1.0, 3, 0, 0]), x, Counts())
    assert np.allclose(found.fitted, [2, 2, 0, 0], atol=1e-8)
    assert found.coef[1] < -20


def test_what_cannot_be_fitted_says_so():
    found = fit_glm(POISSON, X * 1e200, Counts(), start=np.ones(3))
    assert not found.converged
