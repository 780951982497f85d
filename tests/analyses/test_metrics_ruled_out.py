"""What is known of a criterion before it is computed, against the criterion computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyses.metrics.ridge.linear_predictivity import linear_predictivity
from analyses.metrics.ridge.packed import pack
from analyses.metrics.ridge.ruled_out import contenders, first_to_weigh
from analyses.metrics.ridge.selection import Rule, TargetGrams, Weighed, residual_weights
from analyses.metrics.ridge.source import SourceFold, factorise, outer
from analyses.metrics.ridge.transfer import transfer_maps

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-4, 9, 14))
TRAIN, TEST = torch.arange(80), torch.arange(80, 100)


def source(case: str) -> tuple[SourceFold, torch.Generator]:
    generator = torch.Generator().manual_seed(len(case))
    width = 20 if case == "narrow" else 300
    X = torch.randn(100, width, generator=generator, dtype=torch.float64)
    if case == "heavy rows":
        X[:5] *= 40
    if case == "steep":
        X = X @ torch.diag(torch.logspace(0, -6, width, dtype=torch.float64))
    return factorise(X, TRAIN, TEST, "none" if case == "steep" else "zscore"), generator


@pytest.mark.parametrize("case", ["wide", "narrow", "heavy rows", "steep"])
@pytest.mark.parametrize("rule", ["loo", "gcv"])
def test_no_targets_criterion_is_less_than_its_bound(case: str, rule: Rule) -> None:
    fitted, generator = source(case)
    bound = Weighed.of(fitted, ALPHAS, rule).bound
    weights = residual_weights(fitted, ALPHAS, torch.float64, rule)
    # Random targets, and those that the bound is closest for: single eigenvectors.
    Y = torch.randn(80, 40, generator=generator, dtype=torch.float64)
    for y in (*(Y - Y.mean(dim=0)).T, *fitted.eigenvectors.T[1:]):
        criterion = weights @ pack(outer(y[:, None].contiguous()), doubled=True)
        assert bool((criterion[:, None] >= bound * criterion[None] * (1 - 1e-6) - 1e-12).all())


@pytest.mark.parametrize("noise", [0.01, 1.0, 30.0, 1e4])
def test_alphas_left_out_are_never_the_best_and_some_are_left_out(noise: float) -> None:
    fitted, generator = source("wide")
    X = fitted.eigenvectors @ torch.diag(fitted.eigenvalues.sqrt())
    targets = []
    for _ in range(6):
        signal = X @ torch.randn(80, 10, generator=generator, dtype=torch.float64)
        Y = torch.zeros(100, 10, dtype=torch.float64)
        Y[:80] = signal + noise * torch.randn(80, 10, generator=generator, dtype=torch.float64)
        targets.append(outer(Y))
    grams = TargetGrams.of(targets, TRAIN)
    weighed = Weighed.of(fitted, ALPHAS)
    found = weighed.choose(grams)
    every = residual_weights(fitted, ALPHAS, torch.float64)
    full = torch.stack([pack(gram[:80, :80], doubled=True) for gram in targets])
    assert found.tolist() == (full @ every.T).argmin(dim=1).tolist()
    # Where there is noise alone, every alpha may be the best.
    assert (sum(len(at) for at, _, _ in weighed.parts) < len(ALPHAS)) == (noise < 1e4)
    # Asked again, it weighs nothing anew.
    before = len(weighed.parts)
    assert weighed.choose(grams).tolist() == found.tolist()
    assert len(weighed.parts) == before


def test_without_bounds_every_alpha_is_weighed_whatever_the_order_of_the_grid() -> None:
    nothing = torch.zeros(4, 4, dtype=torch.float64)
    assert first_to_weigh(nothing, [2, 0, 1, 3]) == [0, 1, 2, 3]
    criterion = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    assert contenders(nothing, [0, 1], criterion, criterion) == [2, 3]


def test_a_target_unit_that_is_constant_in_training_rows_has_an_r_of_zero() -> None:
    rng = np.random.default_rng(5)
    X = torch.from_numpy(rng.standard_normal((60, 30)))
    Y = torch.from_numpy(X.numpy()[:, :4] + rng.standard_normal((60, 4)))
    folds = np.arange(60) % 3
    Y[:, 3] = 7.0
    Y[folds == 0, 3] = torch.from_numpy(rng.standard_normal(20))
    alone = linear_predictivity([X], [Y[:, 3:]], folds).fold_scores[0, 0, 0]
    assert alone == 0.0
    both = linear_predictivity([X], [Y], folds).fold_scores[0, 0, 0]
    first = linear_predictivity([X], [Y[:, :3]], folds).fold_scores[0, 0, 0]
    assert both == pytest.approx(first * 3 / 4, abs=1e-6)
    assert transfer_maps([X], [Y[:, 3:]], [], folds)[0, 0, 0, 0] == 0.0
