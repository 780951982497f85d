from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics import METRICS
from analyses.metrics.neighbours.cknna import cknna
from vdb.errors import InputError


def related(n: int, widths: list[int], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(n, 4, generator=generator)
    return [
        shared @ torch.randn(4, width, generator=generator)
        + torch.randn(n, width, generator=generator)
        for width in widths
    ]


def hsic(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. 2012, equation 5, written with matrices."""
    m, one = len(K), np.ones(len(K))
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    sums = (one @ K @ one) * (one @ L @ one) / ((m - 1) * (m - 2))
    return float(np.sum(K * L.T) + sums - 2 * one @ K @ L @ one / (m - 2)) / (m * (m - 3))


def published(A: torch.Tensor, B: torch.Tensor, k: int, groups: list[int]) -> float:
    """Huh et al. 2024, of one order of the two."""
    grams, masks = [], []
    for X in (A, B):
        rows = torch.nn.functional.normalize(X.double(), dim=1).numpy()
        K = rows @ rows.T
        mask = np.zeros_like(K)
        for i in range(len(K)):
            others = [j for j in range(len(K)) if groups[j] != groups[i]]
            mask[i, sorted(others, key=lambda j, i=i, K=K: -float(K[i, j]))[:k]] = 1
        grams.append(K)
        masks.append(mask)

    def local(one: int, other: int) -> float:
        mask = masks[one] * masks[other]
        return hsic(mask * grams[one], mask * grams[other])

    return local(0, 1) / np.sqrt(local(0, 0) * local(1, 1))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(10, 30),
    k=st.integers(2, 5),
    seed=st.integers(0, 99),
    grouped=st.booleans(),
    block_bytes=st.sampled_from([1, 9000, 2**28]),
)
def test_is_the_mean_of_both_orders_of_the_published_score(
    n: int, k: int, seed: int, grouped: bool, block_bytes: int
) -> None:
    vision, language = related(n, [7, 12], seed), related(n, [4, 9, 6], seed + 1)
    groups = [i // 2 if grouped else i for i in range(n)]
    scores, _ = cknna(vision, language, k=k, groups=groups, block_bytes=block_bytes)
    for v, A in enumerate(vision):
        for t, B in enumerate(language):
            expected = (published(A, B, k, groups) + published(B, A, k, groups)) / 2
            assert scores[v, t] == pytest.approx(expected, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(8, 40), k=st.integers(2, 6), seed=st.integers(0, 999))
def test_a_layer_scores_one_with_itself_and_sides_can_be_swapped(n: int, k: int, seed: int) -> None:
    A, B = related(n, [6, 9], seed)
    there, back = cknna([A, B], [A, B], k=k)[0], cknna([B, A], [B, A], k=k)[0]
    np.testing.assert_allclose(np.diag(there), 1, atol=1e-5)
    np.testing.assert_allclose(there, back[::-1, ::-1], atol=1e-5)
    assert there[0, 1] == pytest.approx(there[1, 0], abs=1e-5)


def test_a_layer_of_one_vector_has_no_score() -> None:
    A, B = related(20, [6, 9], 0)
    scores, _ = cknna([torch.ones(20, 3), A], [B], k=4)
    assert np.isnan(scores[0, 0])
    assert np.isfinite(scores[1, 0])


def test_three_items_are_too_few() -> None:
    with pytest.raises(InputError, match="3 items: CKNNA needs at least 4"):
        cknna(related(3, [2], 0), related(3, [2], 1), k=1)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(8, 30), k=st.integers(1, 5), seed=st.integers(0, 999))
def test_a_layer_with_itself_is_one_and_others_are_no_more_bounded_than_said(
    n: int, k: int, seed: int
) -> None:
    X, Y = related(n, [6, 9], seed)
    own = cknna([X], [3 * X], k=k)[0][0, 0]
    assert np.isnan(own) or own == pytest.approx(1, abs=1e-4)
    there, back = cknna([X], [Y], k=k)[0], cknna([Y], [X], k=k)[0]
    np.testing.assert_allclose(there, back, atol=1e-6)


def test_one_is_no_bound() -> None:
    """Nor is it said to be: HSIC of what neighbours keep is no inner product."""
    highest = 0.0
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        X = torch.randn(8, 5, generator=generator)
        near = X + 0.6 * torch.randn(8, 5, generator=generator)
        highest = max(highest, float(np.nan_to_num(cknna([X], [near], k=3)[0][0, 0])))
    assert 1 < highest < 1.3
    assert "no bound" in METRICS["cknna"].bias
