"""CKA and RSA as the registry holds them: metrics of what a layer says of all pairs of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.folds import folds_of
from analyses.metrics.inputs import check_groups, check_layers
from analyses.metrics.metric import SYMMETRIC, Direction, Metric, MetricMap, asked
from analyses.metrics.pairs.cka import biased_vector, debiased_vector, inner_products, rbf
from analyses.metrics.pairs.rsa import dissimilarities, rdm_vector
from analyses.metrics.pairs.vectors import EXCLUDE_GROUP, Pairs, permuted_products, products
from analyses.metrics.steps import Steps
from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Progress = Callable[[int, int], None]

_FEWEST = 4
"""Items that U-centring needs."""


def cka_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    kernel: str = "linear",
    bandwidth: float = 1.0,
    estimator: str = "debiased",
    exclude_group: str = "yes",
) -> dict[str, MetricMap]:
    """Compute the map of centred kernel alignment; see :mod:`analyses.metrics.pairs.cka`.

    ``fold_scores`` are those of each fold's items among themselves. The biased estimator takes all pairs whatever
    their groups, as published; it should not be used. A layer whose kernel is constant has no score (NaN).
    """
    asked(directions, SYMMETRIC)
    biased = estimator == "biased"

    def vector(matrix: Tensor, pairs: Pairs) -> Tensor:
        if kernel == "rbf":
            matrix = rbf(matrix, pairs, bandwidth)
        return biased_vector(matrix, pairs) if biased else debiased_vector(matrix, pairs)

    frame = _frame(
        vision, language, groups, folds, seed, exclude_group, centring=True, diagonal=biased
    )
    facts: dict[str, int | str] = {
        "estimator": "biased: about 1 for unrelated layers that are wide, do not use"
    }
    found = _maps(
        vision,
        language,
        frame,
        inner_products,
        vector,
        permutations,
        progress,
        facts if biased else {},
    )
    return {"symmetric": found}


def rsa_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    compare: str = "spearman",
    distance: str = "correlation",
    exclude_group: str = "yes",
) -> dict[str, MetricMap]:
    """Compute the map of representational similarity analysis; see :mod:`analyses.metrics.pairs.rsa`.

    ``fold_scores`` are those of each fold's items among themselves, ranked among themselves. A layer whose
    dissimilarities are all the same has no score (NaN).
    """
    asked(directions, SYMMETRIC)

    def matrix(layer: Tensor) -> Tensor:
        return dissimilarities(layer, distance)

    def vector(rdm: Tensor, pairs: Pairs) -> Tensor:
        return rdm_vector(pairs.of(rdm), compare, squared=distance == "euclidean")

    frame = _frame(vision, language, groups, folds, seed, exclude_group)
    found = _maps(vision, language, frame, matrix, vector, permutations, progress, {})
    return {"symmetric": found}


@dataclass(frozen=True, slots=True)
class _Frame:
    """The pairs that all layers are compared over: of all items, and of those of each fold."""

    whole: Pairs
    parts: list[Pairs]


def _frame(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    groups: Sequence[str] | None,
    folds: int,
    seed: int,
    exclude_group: str,
    *,
    centring: bool = False,
    diagonal: bool = False,
) -> _Frame:
    n = check_layers(vision, language)
    assigned = torch.from_numpy(folds_of(groups, n, folds, seed)).to(vision[0].device)
    names = check_groups(groups if exclude_group == "yes" and not diagonal else None, n)
    member = torch.from_numpy(np.unique(names, return_inverse=True)[1].reshape(-1))
    member = member.to(vision[0].device)

    def pairs(items: Tensor, where: str) -> Pairs:
        made = Pairs(items, member[items], diagonal)
        largest = int(made.sizes.max())
        if len(items) < _FEWEST or (centring and 2 * largest >= len(items)):
            parted = ", no group holding half of them" if centring else ""
            raise InputError(
                f"{len(items)} items in {where}, up to {largest} in one group: pairs of items can be compared "
                f"among at least {_FEWEST}{parted}; use fewer folds, or give more items"
            )
        return made

    whole = pairs(torch.arange(n, device=member.device), "all")
    parts = [pairs((assigned == fold).nonzero()[:, 0], f"fold {fold}") for fold in range(folds)]
    return _Frame(whole, parts)


def _maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    frame: _Frame,
    matrix: Callable[[Tensor], Tensor],
    vector: Callable[[Tensor, Pairs], Tensor],
    permutations: NDArray[np.int64] | None,
    progress: Progress | None,
    facts: dict[str, int | str],
) -> MetricMap:
    """Make each layer's matrix once, its vectors over all pairs and within each fold, and multiply."""
    drawn = 0 if permutations is None else len(permutations)
    step = Steps(progress, len(vision) + len(language) + 1 + drawn)

    def prepare(layers: Sequence[Tensor]) -> list[Tensor]:
        each = [frame.whole, *frame.parts]
        made = [
            torch.empty((len(layers), len(pairs.places)), device=layers[0].device) for pairs in each
        ]
        for index, layer in enumerate(layers):
            of_layer = matrix(layer)
            made[0][index] = vector(of_layer, frame.whole)
            for own, pairs in zip(made[1:], frame.parts, strict=True):
                own[index] = vector(of_layer[pairs.items[:, None], pairs.items], pairs)
            step()
        return made

    ours, theirs = prepare(vision), prepare(language)
    scores, *within = (
        products(left, right).clamp_(-1, 1).cpu().numpy()
        for left, right in zip(ours, theirs, strict=True)
    )
    step()
    null = None
    if permutations is not None:
        null = np.empty((drawn, *scores.shape))
        shuffled = permuted_products(ours[0], theirs[0], frame.whole, permutations)
        for index, product in enumerate(shuffled):
            null[index] = product.clamp_(-1, 1).cpu().numpy()
            step()
    pairs = {"pairs": len(frame.whole.places)}
    return MetricMap(scores, fold_scores=np.stack(within, axis=2), null=null, facts=pairs | facts)


CKA = Metric(
    name="cka",
    title="CKA",
    range=(-1.0, 1.0),
    invariances=("rotation", "scale of all units at once", "shift of each unit"),
    source=(
        "Kornblith, Norouzi, Lee and Hinton, ICML 2019, arXiv 1905.00414; debiased: Song et al., JMLR 13, 2012"
    ),
    directional=False,
    bias=(
        "About 0 on independent data, negatives kept; estimator=biased gives .87 at n = 200 and .58 at n = 1,000 "
        "(widths 1,024 and 2,048) and should not be used."
    ),
    correction="none needed; a permutation null bounds the best of many cells",
    compute=cka_maps,
    parameters={
        "kernel": Parameter("linear", "of two vectors", choices=("linear", "rbf")),
        "bandwidth": Parameter(1.0, "of rbf, in median distances", low=1e-3, high=1e3),
        "estimator": Parameter("debiased", "of HSIC", choices=("debiased", "biased")),
        "exclude_group": EXCLUDE_GROUP,
    },
    rows_a_fold=_FEWEST,
)

RSA = Metric(
    name="rsa",
    title="RSA",
    range=(-1.0, 1.0),
    invariances=(
        "rotation (cosine, euclidean)",
        "scale of all units at once",
        "scale and shift of each vector (correlation)",
        "monotone change of the dissimilarities (spearman)",
    ),
    source="Kriegeskorte, Mur and Bandettini, Front. Syst. Neurosci. 2, 2008",
    directional=False,
    bias="About 0 on independent data.",
    correction="Mantel permutation, which bounds the best of many cells",
    compute=rsa_maps,
    parameters={
        "compare": Parameter("spearman", "correlation", choices=("spearman", "pearson")),
        "distance": Parameter(
            "correlation", "of two vectors", choices=("correlation", "cosine", "euclidean")
        ),
        "exclude_group": EXCLUDE_GROUP,
    },
    rows_a_fold=_FEWEST,
)
