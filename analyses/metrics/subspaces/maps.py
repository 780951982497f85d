"""CCA, SVCCA and PWCCA as the registry holds them; all of them held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.metrics.folds import folds_of
from analyses.metrics.inputs import check_layers
from analyses.metrics.metric import Metric
from analyses.metrics.subspaces.canonical import Canonical
from analyses.metrics.subspaces.held_out import held_out_map
from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import Direction, MetricMap

    Progress = Callable[[int, int], None]

COMPONENTS = 20
"""Raghu et al. keep what explains 99 % of the variance, which differs from layer to layer; so few are found again."""

SHRINKAGE = 0.1


def cca_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    components: int = COMPONENTS,
    shrinkage: float = SHRINKAGE,
) -> dict[str, MetricMap]:
    """Compute the map of regularised CCA in all dimensions.

    The score is the mean of the held-out correlations of the ``components`` pairs of variates that go together most
    closely on the training rows. The covariances are shrunk by ``shrinkage`` towards equal variances: 0 is plain CCA, 1
    partial least squares.

    Raises
    ------
    InputError
        Nothing is shrunk, and two layers have more units between them than there are training rows: any two such layers
        correlate perfectly.
    """
    rows = check_layers(vision, language)
    if shrinkage == 0:
        assigned = folds_of(groups, rows, folds, seed)
        train = min(int((assigned != fold).sum()) for fold in range(folds))
        units = sum(max(layer.shape[1] for layer in side) for side in (vision, language))
        if units > train - 1:
            raise InputError(
                f"cca:shrinkage=0 of layers with up to {units} units between them on {train} training rows: any two "
                "correlate perfectly; give a shrinkage above 0, or ask for svcca"
            )
    return held_out_map(
        Canonical(leading=components, shrinkage=shrinkage),
        vision,
        language,
        groups=groups,
        folds=folds,
        seed=seed,
        directions=directions,
        permutations=permutations,
        progress=progress,
    )


def svcca_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    components: int = COMPONENTS,
    variance: float = 0.0,
) -> dict[str, MetricMap]:
    """Compute the map of SVCCA: CCA between the main components of the layers.

    The score is the mean of all held-out correlations of their variates. A layer has ``components`` main components, or
    with ``variance`` as many as have that share of its variance; never more than half of the training rows less one.
    """
    return held_out_map(
        Canonical(components=components, variance=variance),
        vision,
        language,
        groups=groups,
        folds=folds,
        seed=seed,
        directions=directions,
        permutations=permutations,
        progress=progress,
    )


def pwcca_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    components: int = COMPONENTS,
    variance: float = 0.0,
) -> dict[str, MetricMap]:
    """Compute the map of PWCCA: SVCCA whose correlations are weighted by what their variates account for.

    The weight of a variate is the sum over a layer's units of the absolute inner products with it, over the training
    rows. Morcos et al. take the weights of one of the two layers; here both count half, so that the score does not
    depend on which is called the first.
    """
    return held_out_map(
        Canonical(components=components, variance=variance, weighted=True),
        vision,
        language,
        groups=groups,
        folds=folds,
        seed=seed,
        directions=directions,
        permutations=permutations,
        progress=progress,
    )


_BIAS = "About 0 on independent data: correlations are held out, and keep their sign."
_CORRECTION = "none needed; a permutation null bounds the best of many cells"
_PARAMETERS = {
    "components": Parameter(COMPONENTS, "main components of each layer", low=1),
    "variance": Parameter(
        0.0, "instead as many as have this share of the variance", low=0.0, high=1.0
    ),
}

CCA = Metric(
    name="cca",
    title="CCA (held-out r)",
    range=(-1.0, 1.0),
    invariances=(
        "rotation",
        "scale of all units at once",
        "shift",
        "any invertible linear map (shrinkage=0)",
    ),
    source="Hotelling, Biometrika 28, 1936; regularised: Vinod, J. Econom. 4, 1976",
    directional=False,
    bias=_BIAS,
    correction=f"{_CORRECTION}, at the cost of a map each",
    compute=cca_maps,
    parameters={
        "components": Parameter(COMPONENTS, "leading correlations that are averaged", low=1),
        "shrinkage": Parameter(
            SHRINKAGE, "of the covariances towards equal variances", low=0.0, high=1.0
        ),
    },
    rows_a_fold=2,
    permutations=0,
)

SVCCA = Metric(
    name="svcca",
    title="SVCCA (held-out r)",
    range=(-1.0, 1.0),
    invariances=("rotation", "scale of all units at once", "shift"),
    source="Raghu, Gilmer, Yosinski and Sohl-Dickstein, NeurIPS 2017, arXiv 1706.05806",
    directional=False,
    bias=f"{_BIAS} In sample, with 20 components, about .4 of 100 items and .26 of 200.",
    correction=_CORRECTION,
    compute=svcca_maps,
    parameters=_PARAMETERS,
    rows_a_fold=2,
)

PWCCA = Metric(
    name="pwcca",
    title="PWCCA (held-out r)",
    range=(-1.0, 1.0),
    invariances=("permutation of units", "scale of all units at once", "shift"),
    source="Morcos, Raghu and Bengio, NeurIPS 2018, arXiv 1806.05759",
    directional=False,
    bias=_BIAS,
    correction=f"{_CORRECTION}; the weights of 200 permutations cost many times the map",
    compute=pwcca_maps,
    parameters=_PARAMETERS,
    rows_a_fold=2,
    permutations=0,
)
