from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics import METRICS, MetricMap
from vdb.errors import InputError

N, FOLDS = 40, 4


def spaces(seed: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(N, 4, generator=generator, dtype=torch.float64)

    def layer(width: int) -> torch.Tensor:
        weights, noise = (
            torch.randn(rows, width, generator=generator, dtype=torch.float64) for rows in (4, N)
        )
        return shared @ weights + noise

    return [layer(6), layer(50)], [layer(9), layer(30), layer(12)]


def rotation(width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))[0]


def close(left: dict[str, MetricMap], right: dict[str, MetricMap]) -> None:
    assert left.keys() == right.keys()
    for direction, found in left.items():
        np.testing.assert_allclose(found.scores, right[direction].scores, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", METRICS)
def test_an_entry_keeps_what_it_says(name: str) -> None:
    metric = METRICS[name]
    vision, language = spaces(0)
    steps: list[tuple[int, int]] = []
    maps = metric.compute(
        vision, language, folds=FOLDS, progress=lambda done, total: steps.append((done, total))
    )
    assert metric.name == name
    directed = ["vision->language", "language->vision"]
    assert list(maps) == (directed if metric.directional else ["symmetric"])
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert steps[-1][0] == steps[-1][1]
    low, high = metric.range
    for found in maps.values():
        assert found.scores.shape == (2, 3)
        assert ((low <= found.scores) & (found.scores <= high)).all()
        assert found.fold_scores.shape == (2, 3, FOLDS)
        assert np.isfinite(found.fold_scores).all()
        assert (found.alphas is not None) == (name in {"linear-predictivity", "r2"})
        if name in {"linear-predictivity", "mutual-knn", "cycle-knn"}:
            # Equal folds: the mean over folds is the mean over items.
            np.testing.assert_allclose(found.fold_scores.mean(axis=2), found.scores)
    with pytest.raises(InputError, match="no direction 'sideways'"):
        metric.compute(vision, language, folds=FOLDS, directions=["sideways"])


def test_a_direction_is_the_other_one_with_the_sides_swapped() -> None:
    vision, language = spaces(1)
    compute = METRICS["linear-predictivity"].compute
    swapped = compute(language, vision, folds=FOLDS)
    for one, other in [
        ("vision->language", "language->vision"),
        ("language->vision", "vision->language"),
    ]:
        [found] = compute(vision, language, folds=FOLDS, directions=[one]).values()
        mirror = swapped[other]
        np.testing.assert_allclose(found.scores, mirror.scores.T, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(found.alphas, mirror.alphas.transpose(1, 0, 2))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), name=st.sampled_from(sorted(METRICS)), order=st.randoms())
def test_the_order_of_rows_does_not_matter(seed: int, name: str, order) -> None:  # noqa: ANN001
    vision, language = spaces(seed)
    groups = [f"g{i % 23}" for i in range(N)]
    rows = order.sample(range(N), N)
    plain = METRICS[name].compute(vision, language, groups=groups, folds=FOLDS, seed=seed)
    shuffled = METRICS[name].compute(
        [layer[rows] for layer in vision],
        [layer[rows] for layer in language],
        groups=[groups[i] for i in rows],
        folds=FOLDS,
        seed=seed,
    )
    close(plain, shuffled)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), factor=st.sampled_from([1e-6, 0.3, 1e4]))
def test_mutual_knn_sees_neither_rotation_nor_scale(seed: int, factor: float) -> None:
    vision, language = spaces(seed)
    moved = [factor * layer @ rotation(layer.shape[1], seed) for layer in vision]
    compute = METRICS["mutual-knn"].compute
    close(compute(vision, language), compute(moved, language))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_linear_predictivity_sees_no_scale_of_a_z_scored_source_unit(seed: int) -> None:
    vision, language = spaces(seed)
    generator = np.random.default_rng(seed)
    moved = [
        layer * torch.from_numpy(10 ** generator.uniform(-3, 3, layer.shape[1])) + 5
        for layer in vision
    ]
    compute = METRICS["linear-predictivity"].compute
    options = {"folds": FOLDS, "directions": ["vision->language"]}
    close(compute(vision, language, **options), compute(moved, language, **options))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_linear_predictivity_sees_no_rotation_of_an_unscaled_source(seed: int) -> None:
    vision, language = spaces(seed)
    moved = [layer @ rotation(layer.shape[1], seed) for layer in vision]
    compute = METRICS["linear-predictivity"].compute
    options = {"folds": FOLDS, "directions": ["vision->language"], "scale": "none"}
    close(compute(vision, language, **options), compute(moved, language, **options))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_linear_predictivity_sees_no_shift_and_scale_of_a_target_unit(seed: int) -> None:
    vision, language = spaces(seed)
    generator = np.random.default_rng(seed)
    moved = [
        layer * torch.from_numpy(generator.uniform(0.1, 10, layer.shape[1])) - 3
        for layer in language
    ]
    compute = METRICS["linear-predictivity"].compute
    options = {"folds": FOLDS, "directions": ["vision->language"], "alphas": [10.0]}
    close(compute(vision, language, **options), compute(vision, moved, **options))
