"""What the metrics of pairs and neighbours have in common: their null, their folds, and what unrelated layers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics import choose_metric
from analyses.metrics.folds import folds_of
from analyses.metrics.inference.null import group_permutations
from vdb.errors import InputError

WRITTEN = [
    "mutual-knn:k=3",
    "cycle-knn:k=3",
    "cknna:k=3",
    "cka",
    "cka:kernel=rbf",
    "cka:estimator=biased",
    "rsa",
    "rsa:compare=pearson:distance=euclidean",
]
FOLDS = 3


def related(n: int, widths: list[int], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(n, 4, generator=generator)
    return [
        shared @ torch.randn(4, width, generator=generator)
        + torch.randn(n, width, generator=generator)
        for width in widths
    ]


def compute(written: str, vision: Any, language: Any, **given: Any) -> Any:
    return choose_metric(written).compute(vision, language, **{"folds": FOLDS, **given})


@pytest.mark.parametrize("written", WRITTEN)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), grouped=st.booleans(), wide=st.booleans())
def test_the_null_is_the_map_of_permuted_rows(
    written: str, seed: int, grouped: bool, wide: bool
) -> None:
    n = 36
    vision, language = related(n, [7, 12, 5], seed), related(n, [4, 9], seed + 1)
    # One vector for all, and ties at the k-th place: what is shared out is permuted with the rest.
    language[0] = language[0].sign()
    if wide:
        vision, language = language, vision
    groups = [str(i // 2 if grouped and i < 20 else i) for i in range(n)]
    permutations = group_permutations(groups, 3, seed)
    found = compute(written, vision, language, groups=groups, permutations=permutations)
    plain = compute(written, vision, language, groups=groups)
    for direction, one in found.items():
        np.testing.assert_array_equal(one.scores, plain[direction].scores)
        assert plain[direction].null is None
        for drawn, permutation in zip(one.null, permutations, strict=True):
            moved = [layer[permutation] for layer in language]
            expected = compute(written, vision, moved, groups=groups)[direction].scores
            np.testing.assert_allclose(drawn, expected, atol=2e-6)


@pytest.mark.parametrize(
    "written", ["cka", "cka:kernel=rbf", "cka:estimator=biased", "rsa", "cknna:k=3"]
)
def test_a_fold_is_scored_by_its_own_items_alone(written: str) -> None:
    vision, language = related(36, [7, 12], 0), related(36, [4, 9], 1)
    groups = [str(i // 2) if i < 12 else str(i) for i in range(36)]
    found = compute(written, vision, language, groups=groups, seed=5)["symmetric"]
    assigned = folds_of(groups, 36, FOLDS, 5)
    for fold in range(FOLDS):
        items = np.flatnonzero(assigned == fold)
        alone = compute(
            written,
            [layer[items] for layer in vision],
            [layer[items] for layer in language],
            groups=[groups[i] for i in items],
            folds=2,
        )["symmetric"]
        np.testing.assert_allclose(found.fold_scores[:, :, fold], alone.scores, atol=2e-6)


@pytest.mark.parametrize("written", WRITTEN)
def test_rows_and_layers_of_other_shapes_and_precisions_agree(written: str) -> None:
    vision, language = related(36, [7, 12], 0), related(36, [4, 9], 1)
    single = compute(written, vision, language)
    double = compute(written, [x.double() for x in vision], [x.double() for x in language])
    for direction, one in single.items():
        np.testing.assert_array_equal(one.scores, double[direction].scores)
        np.testing.assert_array_equal(one.fold_scores, double[direction].fold_scores)


@pytest.mark.parametrize("name", ["cka", "rsa"])
def test_a_permutation_that_parts_a_group_is_refused(name: str) -> None:
    vision, language = related(12, [5], 0), related(12, [5], 1)
    order = np.roll(np.arange(12), 1)[None]
    with pytest.raises(InputError, match="parts the rows of a group"):
        compute(
            name,
            vision,
            language,
            groups=[str(i // 2) for i in range(12)],
            permutations=order,
            folds=2,
        )


@pytest.mark.parametrize("name", ["mutual-knn", "cycle-knn", "cknna"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_neighbours_see_no_rotation_and_no_scale_of_a_vector(name: str, seed: int) -> None:
    vision, language = related(30, [7], seed), related(30, [9], seed + 1)
    rng = np.random.default_rng(seed)
    Q = torch.from_numpy(np.linalg.qr(rng.normal(size=(7, 7)))[0])
    scale = torch.from_numpy(10 ** rng.uniform(-3, 3, (30, 1)))
    moved = [scale * (layer.double() @ Q) for layer in vision]
    plain, found = (compute(f"{name}:k=3", side, language) for side in (vision, moved))
    for direction, one in plain.items():
        np.testing.assert_allclose(found[direction].scores, one.scores, atol=1e-5)


@pytest.mark.parametrize(
    ("written", "expected", "noise"),
    [
        ("mutual-knn", 0.051, 0.004),
        ("cycle-knn", 0.405, 0.02),
        ("cknna", 0.047, 0.007),
        ("cka:estimator=biased", 0.874, 0.003),
        ("cka", 0.002, 0.006),
        ("rsa", -0.002, 0.006),
    ],
)
def test_independent_layers_give_what_the_registry_says(
    written: str, expected: float, noise: float
) -> None:
    """Of 16 pairs of 200 Gaussian vectors, 1,024 and 2,048 wide; the expectations were measured on other draws."""
    generator = torch.Generator().manual_seed(0)
    vision, language = (
        [torch.randn(200, width, generator=generator) for _ in range(4)] for width in (1024, 2048)
    )
    for found in compute(written, vision, language).values():
        assert found.scores.mean() == pytest.approx(expected, abs=noise)
