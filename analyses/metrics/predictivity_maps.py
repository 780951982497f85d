"""Linear predictivity as the registry holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.metrics.folds import check_folds, folds_of
from analyses.metrics.inputs import check_groups, check_layers
from analyses.metrics.linear_predictivity import (
    DEFAULT_ALPHAS,
    ROWS_A_FOLD,
    LinearPredictivity,
    prepare_target,
    score_map,
)
from analyses.metrics.metric import BOTH, Direction, Metric, MetricMap, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge import Scale

    Progress = Callable[[int, int], None]


def linear_predictivity_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,  # noqa: ARG001 - see below
    progress: Progress | None = None,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    scale: Scale = "zscore",
) -> dict[str, MetricMap]:
    """Compute both directions of :func:`~analyses.metrics.linear_predictivity.linear_predictivity`.

    ``vision->language`` fits vision to predict language. Both directions use the same folds.
    """
    rows = check_layers(vision, language)
    check_folds(check_groups(groups, rows), folds, ROWS_A_FOLD)
    assigned = folds_of(groups, rows, folds, seed)
    wanted = asked(directions, BOTH)
    sides = {"vision->language": (vision, language), "language->vision": (language, vision)}
    total = folds * sum(len(sides[direction][0]) for direction in wanted)

    def run(direction: Direction, done: int) -> MetricMap:
        sources, targets = sides[direction]
        result = score_map(
            sources,
            [prepare_target(target) for target in targets],
            assigned,
            alphas=alphas,
            scale=scale,
            progress=lambda step, _: progress(done + step, total) if progress else None,
        )
        return _map(result, transpose=direction == "language->vision")

    maps: dict[str, MetricMap] = {}
    done = 0
    for direction in wanted:
        maps[direction] = run(direction, done)
        done += folds * len(sides[direction][0])
    return maps


def _map(result: LinearPredictivity, *, transpose: bool) -> MetricMap:
    axes = (1, 0, 2) if transpose else (0, 1, 2)
    return MetricMap(
        scores=result.scores.T if transpose else result.scores,
        fold_scores=result.fold_scores.transpose(axes),
        alphas=result.alphas.transpose(axes),
        on_edge=result.on_edge.transpose(axes),
        facts={
            "dropped source units, summed over layers and folds": int(result.dropped_source.sum()),
            "dropped target units, summed over layers and folds": int(result.dropped_target.sum()),
        },
    )


LINEAR_PREDICTIVITY = Metric(
    name="linear-predictivity",
    title="Linear predictivity (r)",
    range=(-1.0, 1.0),
    invariances=(
        "shift and scale of each target unit, alphas given",
        "shift and scale of each source unit (z-scored source)",
        "rotation of the source (unscaled source)",
    ),
    source="Ridge encoding models; He, Trott and Khosla, EMNLP 2025, arXiv 2509.20751",
    directional=True,
    bias="About 0 on independent data: alpha is chosen on the training rows, r is held out.",
    correction="none needed; a permutation null bounds the best of many cells",
    compute=linear_predictivity_maps,
    rows_a_fold=ROWS_A_FOLD,
    permutations=0,
)
