"""The metrics of neighbourhoods as the registry holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.folds import folds_of
from analyses.metrics.inputs import check_layers
from analyses.metrics.metric import BOTH, SYMMETRIC, Direction, Metric, MetricMap, asked
from analyses.metrics.neighbours.cknna import cknna
from analyses.metrics.neighbours.cycle_knn import cycle_knn_ways
from analyses.metrics.neighbours.lists import Candidates
from analyses.metrics.neighbours.mutual_knn import mutual_knn
from analyses.metrics.pairs.vectors import EXCLUDE_GROUP
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Progress = Callable[[int, int], None]


def mutual_knn_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    k: int = 10,
    exclude_group: str = "yes",
) -> dict[str, MetricMap]:
    """Compute the map of :func:`~analyses.metrics.neighbours.mutual_knn.mutual_knn`.

    Nothing is fitted, so the score does not depend on ``folds`` and ``seed``; ``fold_scores`` are its means over the
    items of each fold, so that a best cell can be chosen on some items and scored on others. ``exclude_group=yes``
    keeps rows of one group out of each other's neighbourhoods.
    """
    asked(directions, SYMMETRIC)
    result = mutual_knn(
        vision,
        language,
        k=k,
        groups=groups if exclude_group == "yes" else None,
        parts=folds_of(groups, check_layers(vision, language), folds, seed),
        permutations=permutations,
        progress=progress,
    )
    found = MetricMap(
        result.scores,
        fold_scores=result.part_scores,
        chance=result.chance,
        null=result.null,
        facts={"k": k},
    )
    return {"symmetric": found}


def cycle_knn_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    k: int = 10,
    exclude_group: str = "yes",
) -> dict[str, MetricMap]:
    """Compute the maps of :func:`~analyses.metrics.neighbours.cycle_knn.cycle_knn`.

    ``vision->language`` goes out through vision and comes back through language. Folds are as in
    :func:`mutual_knn_maps`.
    """
    parts = folds_of(groups, check_layers(vision, language), folds, seed)
    wanted = asked(directions, BOTH)
    found = cycle_knn_ways(
        vision,
        language,
        ways=[direction.partition("->")[0] for direction in wanted],
        k=k,
        groups=groups if exclude_group == "yes" else None,
        parts=parts,
        permutations=permutations,
        progress=progress,
    )
    return {
        direction: MetricMap(scores, fold_scores=within, null=null, facts={"k": k})
        for direction, (scores, within, null) in zip(wanted, found, strict=True)
    }


def cknna_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    k: int = 10,
    exclude_group: str = "yes",
) -> dict[str, MetricMap]:
    """Compute the map of :func:`~analyses.metrics.neighbours.cknna.cknna`.

    ``fold_scores`` are those of each fold's items among themselves, with as many of ``k`` neighbours as the fold has
    candidates for: they compare cells within a fold, and lie higher than the map, since k is a larger share.
    """
    asked(directions, SYMMETRIC)
    rows = check_layers(vision, language)
    left_out = groups if exclude_group == "yes" else None
    scores, null = cknna(
        vision, language, k=k, groups=left_out, permutations=permutations, progress=progress
    )
    assigned = folds_of(groups, rows, folds, seed)
    within = []
    least = k
    for fold in range(folds):
        items = np.flatnonzero(assigned == fold)
        own = None if left_out is None else [left_out[i] for i in items.tolist()]
        nearest = min(k, int(Candidates.of(own, len(items), 1).counts.min()) - 1)
        least = min(least, nearest)
        at = torch.from_numpy(items).to(vision[0].device)
        sides = ([layer[at] for layer in side] for side in (vision, language))
        within.append(cknna(*sides, k=nearest, groups=own)[0])
    facts = {"k": k} if least == k else {"k": k, "k within the smallest fold": least}
    found = MetricMap(scores, fold_scores=np.stack(within, axis=2), null=null, facts=facts)
    return {"symmetric": found}


K = Parameter(10, "number of neighbours", low=1)
_SOURCE = "Huh, Cheung, Wang and Isola, ICML 2024, arXiv 2405.07987"
_INVARIANCES = ("rotation", "scale of all units at once", "scale of each vector")

MUTUAL_KNN = Metric(
    name="mutual-knn",
    title="Mutual k-NN",
    range=(0.0, 1.0),
    invariances=_INVARIANCES,
    source=_SOURCE,
    directional=False,
    bias="About k / (n - 1) on independent data, given as chance.",
    correction="permutation",
    compute=mutual_knn_maps,
    parameters={"k": K, "exclude_group": EXCLUDE_GROUP},
)

CYCLE_KNN = Metric(
    name="cycle-knn",
    title="Cycle k-NN",
    range=(0.0, 1.0),
    invariances=_INVARIANCES,
    source=_SOURCE,
    directional=True,
    bias="About 1 - (1 - k / (n - 1))^k on independent data: .40 at n = 200, .10 at n = 1,000, with k = 10.",
    correction="permutation",
    compute=cycle_knn_maps,
    parameters={"k": K, "exclude_group": EXCLUDE_GROUP},
)

CKNNA = Metric(
    name="cknna",
    title="CKNNA",
    range=(-1.0, 1.0),
    invariances=_INVARIANCES,
    source=f"{_SOURCE}; Song et al., JMLR 13, 2012, eq. 5",
    directional=False,
    bias=(
        "About k / (n - 1) on independent data. 1 is a layer with itself and no bound: of eight items scores up to "
        "1.25 come about."
    ),
    correction="permutation",
    compute=cknna_maps,
    parameters={"k": K, "exclude_group": EXCLUDE_GROUP},
    rows_a_fold=4,
)
