"""Linear predictivity against himalaya's ridge, fold by fold, at a strength for all units and at one a unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from himalaya.ridge import Ridge

from analyses.metrics.folds import assign_folds
from analyses.metrics.ridge.linear_predictivity import linear_predictivity

N, FOLDS = 90, 3


@pytest.mark.parametrize("alpha", [1.0, 300.0])
def test_held_out_r_is_that_of_himalaya(alpha: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 20)) * rng.uniform(0.5, 5, 20)
    Y = X[:, :8] + 3 * rng.standard_normal((N, 8))
    folds = assign_folds([str(i) for i in range(N)], FOLDS, 0)
    found = linear_predictivity(
        [torch.from_numpy(X)], [torch.from_numpy(Y)], folds, alphas=[alpha]
    ).fold_scores[0, 0]
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        mean, spread = X[train].mean(axis=0), X[train].std(axis=0)
        model = Ridge(alpha=np.full(8, alpha), fit_intercept=True)
        model.fit((X[train] - mean) / spread, Y[train])
        predicted = model.predict((X[test] - mean) / spread)
        r = [np.corrcoef(predicted[:, j], Y[test][:, j])[0, 1] for j in range(8)]
        assert found[fold] == pytest.approx(np.mean(r), abs=1e-5)
