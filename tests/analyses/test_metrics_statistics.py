from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from analyses.metrics.inference.bootstrap import (
    Interval,
    bootstrap_interval,
    bootstrap_items,
    resample_weights,
)
from vdb.errors import InputError


def predictions(n: int, units: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(n, units, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, units, generator=generator, dtype=torch.float64)
    return 0.5 * truth + noise + 3, 100 * truth - 7


def score(predicted: np.ndarray, truth: np.ndarray, folds: np.ndarray) -> float:
    units = range(truth.shape[1])
    return float(
        np.mean(
            [
                np.mean(
                    [pearsonr(predicted[folds == f, u], truth[folds == f, u])[0] for u in units]
                )
                for f in np.unique(folds)
            ]
        )
    )


def test_each_resample_is_the_score_of_its_rows_drawn_by_hand() -> None:
    folds, groups = np.arange(60) % 3, np.arange(60) % 30
    draws = [predictions(60, 4, seed) for seed in (0, 1)]
    found = bootstrap_interval(
        [p for p, _ in draws], [t for _, t in draws], folds, groups, resamples=20, seed=5
    )
    weights = resample_weights(groups, 20, 5, folds)
    for b, counts in enumerate(weights):
        rows = np.repeat(np.arange(60), counts.astype(int))
        by_hand = [score(p.numpy()[rows], t.numpy()[rows], folds[rows]) for p, t in draws]
        assert found.resamples[b] == pytest.approx(np.mean(by_hand), abs=1e-5)
    assert found.estimate == pytest.approx(
        np.mean([score(p.numpy(), t.numpy(), folds) for p, t in draws]), abs=1e-6
    )
    assert (found.low, found.high) == pytest.approx(np.quantile(found.resamples, [0.025, 0.975]))


def test_groups_are_drawn_whole_and_folds_keep_their_number_of_groups() -> None:
    groups, folds = np.arange(40) // 4, (np.arange(40) // 4) % 2
    weights = resample_weights(groups, 200, 0, folds)
    assert (weights.reshape(200, 10, 4) == weights[:, ::4, None]).all()
    for fold in (0, 1):
        assert (weights[:, folds == fold].sum(axis=1) == 20).all()
    # A group's count is binomial with mean 1 and variance 4/5: 200 draws of 10.
    assert weights[:, ::4].mean() == 1
    assert weights[:, ::4].var() == pytest.approx(0.8, abs=0.1)
    assert np.array_equal(weights, resample_weights(groups, 200, 0, folds))
    assert not np.array_equal(weights, resample_weights(groups, 200, 1, folds))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits, rho = 0, 0.5 / np.sqrt(1.25)
    for seed in range(200):
        predicted, truth = predictions(120, 1, seed)
        found = bootstrap_interval(
            [predicted], [truth], np.zeros(120, dtype=int), range(120), resamples=200, seed=seed
        )
        hits += found.low <= rho <= found.high
    # Binomial with p near 0.95 (percentile intervals fall a little short): 4 standard deviations are 0.06.
    assert 0.87 <= hits / 200 <= 0.99


def test_rows_that_repeat_in_groups_widen_the_interval() -> None:
    predicted, truth = predictions(50, 3, 0)
    repeated = np.repeat(np.arange(50), 8)
    arguments = ([predicted[repeated]], [truth[repeated]], np.zeros(400, dtype=int))
    naive = bootstrap_interval(*arguments, range(400), resamples=300)
    honest = bootstrap_interval(*arguments, repeated, resamples=300)
    alone = bootstrap_interval(
        [predicted], [truth], np.zeros(50, dtype=int), range(50), resamples=300
    )

    def width(interval: Interval) -> float:
        return interval.high - interval.low

    assert width(naive) < 0.5 * width(honest)
    assert width(honest) == pytest.approx(width(alone), rel=1e-3)


def test_units_without_variance_say_nothing_rather_than_zero_by_zero() -> None:
    predicted, truth = predictions(30, 3, 0)
    flat = torch.full((30, 1), 0.1, dtype=torch.float64)
    folds = np.arange(30) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = bootstrap_interval([predicted], [truth], folds, range(30), resamples=20)
        constant_truth = bootstrap_interval(
            [torch.cat([predicted, predicted[:, :1]], 1)],
            [torch.cat([truth, flat], 1)],
            folds,
            range(30),
            resamples=20,
        )
        constant_prediction = bootstrap_interval(
            [torch.cat([predicted, flat], 1)],
            [torch.cat([truth, truth[:, :1]], 1)],
            folds,
            range(30),
            resamples=20,
        )
    np.testing.assert_allclose(constant_truth.resamples, plain.resamples, atol=1e-6)
    np.testing.assert_allclose(constant_prediction.resamples, 0.75 * plain.resamples, atol=1e-6)


def test_item_scores_are_bounded_by_their_standard_error() -> None:
    values = np.random.default_rng(0).random((3, 400))
    found = bootstrap_items(values, range(400), resamples=2000)
    mean = values.mean(axis=0)
    assert found.estimate == pytest.approx(mean.mean())
    error = mean.std() / np.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"resamples": 0}, "at least 1"),
        ({"groups": range(9)}, "9 groups given for 10 rows"),
        ({"truth": [torch.rand(10, 3)]}, "draw 0: predictions"),
        ({"truth": []}, "1 predictions given for 0 truths"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    good = {
        "predicted": [torch.rand(10, 2)],
        "truth": [torch.rand(10, 2)],
        "folds": np.zeros(10, dtype=int),
        "groups": range(10),
    }
    with pytest.raises(InputError, match=message):
        bootstrap_interval(**{**good, **change})  # type: ignore[arg-type]
