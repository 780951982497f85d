"""The metrics by name. To add one: write its pure function, wrap it as a ``Compute``, and enter it in ``METRICS``."""

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
from analyses.metrics.metric import Direction, Metric, MetricMap
from analyses.metrics.mutual_knn import mutual_knn
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from analyses.metrics.ridge import Scale

    Progress = Callable[[int, int], None]


BOTH: tuple[Direction, ...] = ("vision->language", "language->vision")


def linear_predictivity_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
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
    asked = _asked(directions, BOTH)
    sides = {"vision->language": (vision, language), "language->vision": (language, vision)}
    total = folds * sum(len(sides[direction][0]) for direction in asked)

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
    for direction in asked:
        maps[direction] = run(direction, done)
        done += folds * len(sides[direction][0])
    return maps


def mutual_knn_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    progress: Progress | None = None,
    k: int = 10,
    exclude_group: bool = True,
) -> dict[str, MetricMap]:
    """Compute the map of :func:`~analyses.metrics.mutual_knn.mutual_knn`.

    Nothing is fitted, so the score does not depend on ``folds`` and ``seed``; ``fold_scores`` are its means over the
    items of each fold, so that a best cell can be chosen on some items and scored on others. ``exclude_group`` keeps
    rows of one group out of each other's neighbourhoods.
    """
    _asked(directions, ("symmetric",))
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


def _asked(
    directions: Sequence[Direction] | None, known: tuple[Direction, ...]
) -> tuple[Direction, ...]:
    """Return the directions to compute, each once.

    Raises
    ------
    InputError
        If the metric has no such direction.
    """
    for direction in directions or ():
        if direction not in known:
            raise InputError(f"no direction {direction!r} here; there are: {', '.join(known)}")
    return tuple(dict.fromkeys(directions)) if directions else known


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


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
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
            compute=linear_predictivity_maps,
            rows_a_fold=ROWS_A_FOLD,
        ),
        Metric(
            name="mutual-knn",
            title="Mutual k-NN",
            range=(0.0, 1.0),
            invariances=("rotation", "scale of all units at once"),
            source="Huh, Cheung, Wang and Isola, ICML 2024, arXiv 2405.07987",
            directional=False,
            bias="About k / (n - 1) on independent data, given as chance; calibrate by permutation.",
            compute=mutual_knn_maps,
        ),
    )
}
"""Every metric that can be asked for, by its name."""
