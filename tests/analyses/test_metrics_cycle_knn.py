from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics import METRICS
from analyses.metrics.neighbours.cycle_knn import cycle_knn
from analyses.metrics.neighbours.lists import Neighbourhoods, neighbourhoods
from vdb.errors import InputError


def related(n: int, widths: list[int], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(n, 4, generator=generator)
    return [
        shared @ torch.randn(4, width, generator=generator)
        + torch.randn(n, width, generator=generator)
        for width in widths
    ]


def nearest(X: torch.Tensor, k: int, groups: list[int]) -> list[list[int]]:
    rows = torch.nn.functional.normalize(X.double(), dim=1).numpy()
    return [
        sorted(
            (j for j in range(len(rows)) if groups[j] != groups[i]),
            key=lambda j, i=i: -float(rows[i] @ rows[j]),
        )[:k]
        for i in range(len(rows))
    ]


def come_back(first: torch.Tensor, second: torch.Tensor, k: int, groups: list[int]) -> list[bool]:
    """Huh et al. 2024: whether i is among the neighbours, in the second, of its neighbours in the first."""
    out, back = nearest(first, k, groups), nearest(second, k, groups)
    return [any(i in back[j] for j in out[i]) for i in range(len(out))]


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(10, 30),
    k=st.integers(1, 5),
    seed=st.integers(0, 99),
    grouped=st.booleans(),
    out=st.sampled_from(["vision", "language"]),
    block_bytes=st.sampled_from([1, 3000, 2**28]),
)
def test_equals_walks_there_and_back(
    n: int, k: int, seed: int, grouped: bool, out: str, block_bytes: int
) -> None:
    vision, language = related(n, [7, 12], seed), related(n, [4, 9, 6], seed + 1)
    groups = [i // 2 if grouped else i for i in range(n)]
    parts = np.arange(n) % 3
    scores, within, _ = cycle_knn(
        vision, language, out=out, k=k, groups=groups, parts=parts, block_bytes=block_bytes
    )
    for v, A in enumerate(vision):
        for t, B in enumerate(language):
            first, second = (A, B) if out == "vision" else (B, A)
            expected = np.array(come_back(first, second, k, groups))
            assert scores[v, t] == pytest.approx(expected.mean(), abs=1e-6)
            for part in range(3):
                own = expected[parts == part].mean()
                assert within[v, t, part] == pytest.approx(own, abs=1e-6)


def test_a_tie_on_the_way_back_is_its_expectation() -> None:
    # All of the way back is a tie: each of k ways leads home with probability k / (n - 1).
    [X] = related(12, [5], 0)
    parts = np.zeros(12, dtype=np.int64)
    scores, _, _ = cycle_knn([X], [torch.ones(12, 3)], k=3, parts=parts)
    assert scores[0, 0] == pytest.approx(1 - (1 - 3 / 11) ** 3, abs=1e-6)


def test_ties_on_the_way_out_are_drawn_independently() -> None:
    [X] = related(12, [5], 0)
    back = nearest(X, 3, list(range(12)))
    leading = np.array([sum(i in row for row in back) for i in range(12)])
    expected = np.mean(1 - (1 - 3 / 11) ** leading)
    parts = np.zeros(12, dtype=np.int64)
    scores, _, _ = cycle_knn([torch.ones(12, 3)], [X], k=3, parts=parts)
    assert scores[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["mutual-knn", "cycle-knn", "cknna"])
def test_a_permutation_that_parts_a_group_is_refused(name: str) -> None:
    vision, language = related(12, [5, 6], 0)
    groups, parting = [str(i // 2) for i in range(12)], np.roll(np.arange(12), 1)[None]
    with pytest.raises(InputError, match="parts the rows of a group"):
        METRICS[name].compute(
            [vision], [language], groups=groups, permutations=parting, folds=2, k=2
        )


def test_neighbours_are_found_once_for_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def counted(*args: Any) -> Neighbourhoods:
        found.append(args)
        return neighbourhoods(*args)

    monkeypatch.setattr("analyses.metrics.neighbours.cycle_knn.neighbourhoods", counted)
    vision, language = related(20, [5, 6], 0), related(20, [4, 3, 7], 1)
    told: list[tuple[int, int]] = []
    both = METRICS["cycle-knn"].compute(
        vision, language, k=3, folds=2, progress=lambda *step: told.append(step)
    )
    assert len(found) == 5
    assert told[-1][0] == told[-1][1] == len(told)
    parts = np.zeros(20, dtype=np.int64)
    for out in ("vision", "language"):
        [direction] = [way for way in both if way.startswith(out)]
        alone = cycle_knn(vision, language, out=out, k=3, parts=parts)[0]
        np.testing.assert_array_equal(both[direction].scores, alone)
