"""The metrics of neighbourhoods as the registry holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.metrics.folds import folds_of
from analyses.metrics.inputs import check_layers
from analyses.metrics.metric import SYMMETRIC, Direction, Metric, MetricMap, asked
from analyses.metrics.mutual_knn import mutual_knn
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
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
    permutations: NDArray[np.int64] | None = None,  # noqa: ARG001 - see below
    progress: Progress | None = None,
    k: int = 10,
    exclude_group: bool = True,
) -> dict[str, MetricMap]:
    """Compute the map of :func:`~analyses.metrics.mutual_knn.mutual_knn`.

    Nothing is fitted, so the score does not depend on ``folds`` and ``seed``; ``fold_scores`` are its means over the
    items of each fold, so that a best cell can be chosen on some items and scored on others. ``exclude_group`` keeps
    rows of one group out of each other's neighbourhoods.
    """
    asked(directions, SYMMETRIC)
    result = mutual_knn(
        vision,
        language,
        k=k,
        groups=groups if exclude_group else None,
        parts=folds_of(groups, check_layers(vision, language), folds, seed),
        progress=progress,
    )
    found = MetricMap(
        result.scores, fold_scores=result.part_scores, chance=result.chance, facts={"k": k}
    )
    return {"symmetric": found}


K = Parameter(10, "number of neighbours", low=1)

MUTUAL_KNN = Metric(
    name="mutual-knn",
    title="Mutual k-NN",
    range=(0.0, 1.0),
    invariances=("rotation", "scale of all units at once"),
    source="Huh, Cheung, Wang and Isola, ICML 2024, arXiv 2405.07987",
    directional=False,
    bias="About k / (n - 1) on independent data, given as chance.",
    correction="permutation",
    compute=mutual_knn_maps,
    parameters={"k": K},
)
