"""Transfer: scikit-learn fitted on the originals, predicting altered held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analyses.metrics.folds import assign_folds
from analyses.metrics.ridge.linear_predictivity import linear_predictivity, predict_held_out
from analyses.metrics.ridge.transfer import Altered, transfer_maps, transfer_predictions
from vdb.errors import InputError

if TYPE_CHECKING:
    from analyses.metrics.ridge.source import Scale

ALPHAS = tuple(np.logspace(-3, 6, 10))
N = 70
FOLDS = assign_folds(np.arange(N), 4, seed=2)


def world(seed: int = 0) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Two source and two target layers that share a latent; the second source has two loud units."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((N, 5))

    def layer(width: int, noise: float) -> torch.Tensor:
        mixed = latent @ rng.standard_normal((5, width))
        return torch.from_numpy(mixed + noise * rng.standard_normal((N, width)))

    sources, targets = [layer(90, 1), layer(12, 0.5)], [layer(8, 1), layer(20, 2)]
    sources[1][:, :2] = 1000 * sources[1][:, :2] + 300
    return sources, targets


def noisy(layers: list[torch.Tensor], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        0.7 * x + 0.4 * x.std(dim=0) * torch.randn(x.shape, generator=generator, dtype=x.dtype) + 2
        for x in layers
    ]


def reference(
    source: torch.Tensor,
    target: torch.Tensor,
    predict_from: torch.Tensor,
    compare_with: torch.Tensor,
    scale: str = "zscore",
) -> tuple[list[float], np.ndarray]:
    """Do it by scikit-learn and scipy, one fold and one unit at a time."""
    X, Y, A, B = (one.numpy() for one in (source, target, predict_from, compare_with))
    scores, predicted = [], np.empty_like(Y)
    for k in range(4):
        test = np.equal(FOLDS, k)
        train = ~test
        ridge = RidgeCV(alphas=ALPHAS)
        model = make_pipeline(StandardScaler(), ridge) if scale == "zscore" else ridge
        model.fit(X[train], Y[train])
        predicted[test] = model.predict(A[test])
        scores.append(
            float(np.mean([pearsonr(predicted[test, u], B[test, u])[0] for u in range(B.shape[1])]))
        )
    return scores, predicted


@pytest.mark.parametrize("scale", ["zscore", "none"])
def test_equals_scikit_learn_fitted_on_the_originals(scale: Scale) -> None:
    sources, targets = world()
    other, further = noisy(sources, 1), noisy(targets, 2)
    every = [
        Altered(sources=other),
        Altered(targets=further),
        Altered(sources=other, targets=further),
        Altered(sources=noisy(sources, 3)),
    ]
    steps: list[tuple[int, int]] = []
    found = transfer_maps(
        sources,
        targets,
        every,
        FOLDS,
        alphas=ALPHAS,
        scale=scale,
        progress=lambda *step: steps.append(step),
    )
    assert found.shape == (5, 2, 2, 4)
    assert steps == [(i + 1, 8) for i in range(8)]
    for at, one in enumerate([Altered(), *every]):
        for i, source in enumerate(sources):
            for j, target in enumerate(targets):
                expected, _ = reference(
                    source,
                    target,
                    source if one.sources is None else one.sources[i],
                    target if one.targets is None else one.targets[j],
                    scale,
                )
                np.testing.assert_allclose(found[at, i, j], expected, rtol=0, atol=1e-6)


def test_predictions_equal_scikit_learn() -> None:
    [source, _], [_, target] = world()
    altered = noisy([source], 1)
    found = transfer_predictions(source, target, altered, FOLDS, alphas=ALPHAS)
    for ours, rows in zip(found, [source, *altered], strict=True):
        _, expected = reference(source, target, rows, target)
        np.testing.assert_allclose(
            ours.numpy(), expected, rtol=0, atol=1e-8 * np.abs(expected).max()
        )
    [own] = predict_held_out([source], [target], FOLDS, alphas=ALPHAS)
    torch.testing.assert_close(found[0], own.predicted, rtol=0, atol=1e-10)


def test_the_originals_are_those_of_linear_predictivity() -> None:
    sources, targets = world()
    found = transfer_maps(sources, targets, [Altered(sources=noisy(sources, 1))], FOLDS)
    expected = linear_predictivity(sources, targets, FOLDS).fold_scores
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-6)


def test_single_precision_layers_lose_nothing() -> None:
    sources, targets = world()
    other = noisy(sources, 1)
    double = transfer_maps(sources, targets, [Altered(sources=other)], FOLDS)
    single = transfer_maps(
        [x.float() for x in sources],
        [y.float() for y in targets],
        [Altered(sources=[x.float() for x in other])],
        FOLDS,
    )
    np.testing.assert_allclose(single, double, rtol=0, atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shift=st.floats(-5, 5),
    factor=st.floats(0.1, 10),
    at=st.integers(0, 11),
)
def test_r_does_not_see_a_shift_of_the_altered_source_nor_a_unit_scale_of_the_altered_target(
    seed: int, shift: float, factor: float, at: int
) -> None:
    [_, source], [target, _] = world(seed)
    moved = source.clone()
    moved[:, at] += shift  # the same for every item: it shifts every prediction alike
    scaled = target * factor + shift
    found = transfer_maps(
        [source], [target], [Altered(sources=[moved]), Altered(targets=[scaled])], FOLDS
    )
    np.testing.assert_allclose(found[1:], np.broadcast_to(found[0], found[1:].shape), atol=2e-5)


def test_a_turned_space_is_lost_to_the_map_that_was_fitted_on_another() -> None:
    [_, source], [target, _] = world()
    source = source[:, 2:]
    flipped = [-source]
    found = transfer_maps([source], [target], [Altered(sources=flipped)], FOLDS)
    np.testing.assert_allclose(found[1], -found[0], atol=1e-6)


def test_a_target_that_became_the_same_for_all_has_no_score() -> None:
    sources, targets = world()
    still = [torch.ones_like(targets[0]), targets[1]]
    found = transfer_maps(sources, targets, [Altered(targets=still)], FOLDS)
    assert np.isnan(found[1, :, 0]).all()
    np.testing.assert_allclose(found[1, :, 1], found[0, :, 1], atol=1e-7)


def test_what_does_not_match_the_originals_is_refused() -> None:
    sources, targets = world()
    with pytest.raises(InputError, match=r"alteration 1: its source layers .* row for row"):
        transfer_maps(
            sources,
            targets,
            [Altered(sources=sources), Altered(sources=[x[1:] for x in sources])],
            FOLDS,
        )
    with pytest.raises(InputError, match="at least two folds of at least two rows"):
        transfer_maps(sources, targets, [], np.zeros(N, np.int64))
    with pytest.raises(InputError, match="a transfer scales altered rows as the originals'"):
        transfer_maps(sources, targets, [], FOLDS, scale="each-split")
