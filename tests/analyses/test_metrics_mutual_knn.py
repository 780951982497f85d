from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics.neighbours.mutual_knn import mutual_knn
from vdb.errors import InputError


def layers(n: int, widths: list[int], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(n, 5, generator=generator)
    return [
        shared @ torch.randn(5, width, generator=generator)
        + torch.randn(n, width, generator=generator)
        for width in widths
    ]


def by_sets(A: torch.Tensor, B: torch.Tensor, k: int, groups: list[int]) -> list[float]:
    """Intersect sets of neighbours, one item at a time."""

    def neighbours(X: torch.Tensor, i: int) -> set[int]:
        rows = X.double().numpy()
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        others = [j for j in range(len(rows)) if groups[j] != groups[i]]
        return set(sorted(others, key=lambda j: -float(rows[i] @ rows[j]))[:k])

    return [len(neighbours(A, i) & neighbours(B, i)) / k for i in range(len(A))]


@settings(deadline=None)
@given(
    n=st.integers(8, 30),
    k=st.integers(1, 5),
    seed=st.integers(0, 99),
    grouped=st.booleans(),
    block_bytes=st.sampled_from([1, 2000, 2**28]),
)
def test_equals_sets_whatever_the_blocks(
    n: int, k: int, seed: int, grouped: bool, block_bytes: int
) -> None:
    vision, language = layers(n, [7, 12], seed), layers(n, [4, 9, 6], seed)
    groups = [i // 2 if grouped else i for i in range(n)]
    found = mutual_knn(vision, language, k=k, groups=groups, items=True, block_bytes=block_bytes)
    assert found.item_scores is not None
    for v, A in enumerate(vision):
        for t, B in enumerate(language):
            expected = by_sets(A, B, k, groups)
            np.testing.assert_allclose(found.item_scores[v, t], expected, atol=1e-6)
            assert found.scores[v, t] == pytest.approx(np.mean(expected), abs=1e-6)
    summed = mutual_knn(vision, language, k=k, groups=groups, block_bytes=block_bytes)
    np.testing.assert_allclose(summed.scores, found.scores, atol=1e-6)


def test_ties_are_shared_out_whatever_the_order_of_rows() -> None:
    # Rows 0 to 3 are one vector, in several scales; k = 2 of its 3 twins can be drawn in 3 ways.
    A = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    A[1:4] = A[0] * torch.tensor([[0.5], [2.0], [3.0]])
    B = torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    found = mutual_knn([A], [B], k=2, items=True).item_scores
    assert found is not None
    unique = torch.nn.functional.normalize(B.double(), dim=1)
    near = (unique @ unique.T).fill_diagonal_(-2).topk(2, dim=1).indices[:4].tolist()
    expected = [sum(j < 4 for j in row) * (2 / 3) / 2 for row in near]
    np.testing.assert_allclose(found[0, 0, :4], expected, atol=1e-6)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    shuffled = mutual_knn([A[order]], [B[order]], k=2, items=True).item_scores
    assert shuffled is not None
    np.testing.assert_allclose(shuffled[0, 0], found[0, 0, order.numpy()], atol=1e-6)


def test_a_layer_of_one_vector_scores_at_chance() -> None:
    [language] = layers(20, [6], 0)
    found = mutual_knn([torch.ones(20, 3), torch.zeros(20, 3)], [language], k=4)
    assert found.chance == pytest.approx(4 / 19)
    np.testing.assert_allclose(found.scores, 4 / 19, atol=1e-6)


def test_duplicates_of_an_image_are_neighbours_for_free_unless_their_group_is_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    group = np.repeat(np.arange(60), 5)
    vision = torch.randn(60, 20, generator=generator)[group]
    language = torch.randn(60, 20, generator=generator)[group] + 0.01 * torch.randn(
        300, 20, generator=generator
    )
    naive = mutual_knn([vision], [language], k=4).scores[0, 0]
    honest = mutual_knn([vision], [language], k=4, groups=group)
    assert naive == pytest.approx(1.0)
    assert honest.chance == pytest.approx(4 / 295)
    assert honest.scores[0, 0] < 0.06


@pytest.mark.parametrize("k", [0, 8, 20])
def test_k_is_checked_against_the_candidates(k: int) -> None:
    with pytest.raises(InputError, match="less than the 8 candidates"):
        mutual_knn(layers(10, [3], 0), layers(10, [3], 1), k=k, groups=[i // 2 for i in range(10)])


def test_progress_counts_layers_and_blocks() -> None:
    steps: list[tuple[int, int]] = []
    mutual_knn(
        layers(10, [3], 0),
        layers(10, [3], 1),
        k=2,
        block_bytes=4 * 10 * 4,
        progress=lambda done, total: steps.append((done, total)),
    )
    # Two layers, then blocks of 4, 4 and 2 rows.
    assert steps == [(done, 5) for done in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("block_bytes", [1, 5000, 1 << 28])
def test_the_score_of_a_part_is_the_mean_of_its_items(block_bytes: int) -> None:
    vision, language = layers(23, [5, 6], seed=1), layers(23, [4], seed=2)
    parts = np.arange(23) % 3
    found = mutual_knn(vision, language, k=4, parts=parts, items=True, block_bytes=block_bytes)
    for part in range(3):
        expected = found.item_scores[:, :, parts == part].mean(axis=2)
        np.testing.assert_allclose(found.part_scores[:, :, part], expected, rtol=1e-6)
    np.testing.assert_allclose(found.scores, found.item_scores.mean(axis=2), rtol=1e-6)
