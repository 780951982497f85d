"""A fitted metric's map in each direction that was asked for, as the registry gives it: vision layers first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyses.metrics.metric import BOTH, Direction, MetricMap, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge.linear_predictivity import LinearPredictivity

    Progress = Callable[[int, int], None]
    Run = Callable[
        [Sequence[Tensor], Sequence[Tensor], NDArray[np.int64] | None, Progress], LinearPredictivity
    ]


def both_directions(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    directions: Sequence[Direction] | None,
    permutations: NDArray[np.int64] | None,
    progress: Progress | None,
    run: Run,
    facts: dict[str, int | str],
) -> dict[str, MetricMap]:
    """Run each direction, and report its progress as a part of the whole."""
    wanted = asked(directions, BOTH)
    # Language row permutations[i] belongs to vision row i: seen from the language side, the inverse.
    inverse = None if permutations is None else np.argsort(permutations, axis=1)
    maps: dict[str, MetricMap] = {}
    reported = 0
    for left, direction in zip(range(len(wanted), 0, -1), wanted, strict=True):
        before = reported
        forward = direction == "vision->language"

        def report(done: int, total: int, before: int = before, left: int = left) -> None:
            nonlocal reported
            reported = before + total
            if progress:
                progress(before + done, before + total * left)

        sources, targets = (vision, language) if forward else (language, vision)
        result = run(sources, targets, permutations if forward else inverse, report)
        maps[direction] = _map(result, dict(facts), transpose=not forward)
    return maps


def _map(result: LinearPredictivity, facts: dict[str, int | str], *, transpose: bool) -> MetricMap:
    axes = (1, 0, 2) if transpose else (0, 1, 2)
    null = result.null
    return MetricMap(
        scores=result.scores.T if transpose else result.scores,
        fold_scores=result.fold_scores.transpose(axes),
        alphas=result.alphas.transpose(axes),
        on_edge=result.on_edge.transpose(axes),
        null=null.transpose(0, 2, 1) if null is not None and transpose else null,
        facts={
            "dropped source units, summed over layers and folds": int(result.dropped_source.sum()),
            "dropped target units, summed over layers and folds": int(result.dropped_target.sum()),
            **facts,
        },
    )
