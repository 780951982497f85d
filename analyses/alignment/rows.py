"""How a map is laid out: a row a cell, beside what its null says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from analyses.metrics.inference.null import calibrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.metrics import MetricMap
    from analyses.metrics.inference.null import Calibration
    from vdb.recipe import Layer

COLUMNS = [
    *("vision", "language", "control", "metric", "direction"),
    *("vision_layer", "language_layer", "vision_layer_name", "language_layer_name"),
    *("vision_depth", "language_depth", "score", "fold_scores", "alphas", "on_edge", "chance"),
    *("null_mean", "null_high", "calibrated", "p", "p_max", "q", "permutations"),
    *("n", "groups", "unmatched", "folds", "seed", "vision_fingerprint", "language_fingerprint"),
]
"""Of an alignment, in their order; ``captions`` comes after them."""


def tidy(
    vision: Sequence[Layer],
    language: Sequence[Layer],
    direction: str,
    cells: MetricMap,
    first: int,
    highest: float,
) -> pl.DataFrame:
    """Lay a map out as a row a cell: the columns of its language layers, from ``first`` on."""
    rows = []
    own = slice(first, first + len(language))
    # The largest score of a permuted map is taken over this map alone, not over those computed beside it.
    null = (
        None
        if cells.null is None
        else calibrate(cells.scores[:, own], cells.null[:, :, own], highest)
    )
    for i, a in enumerate(vision):
        for j, b in enumerate(language):
            at = i, first + j
            folds = None if cells.fold_scores is None else cells.fold_scores[at].tolist()
            alphas = None if cells.alphas is None else cells.alphas[at].tolist()
            score: float | None = float(cells.scores[at])
            if math.isnan(cells.scores[at]):
                score, folds = None, None
            edge = None if cells.on_edge is None else float(cells.on_edge[at].mean())
            where = direction, i, j, a.name, b.name, a.depth, b.depth
            rows.append((*where, score, folds, alphas, edge, cells.chance, *_beside(null, i, j)))
    return pl.DataFrame(rows, schema=_CELL, orient="row")


def _beside(null: Calibration | None, i: int, j: int) -> tuple[float | int | None, ...]:
    """Take what the null says of one cell; nothing where the cell has no score."""
    if null is None:
        return (None,) * 7
    six = (null.mean, null.high, null.calibrated, null.p, null.p_max, null.q)
    told = [float(one[i, j]) for one in six]
    return (*(None if math.isnan(one) else one for one in told), null.permutations)


_CELL: dict[str, Any] = {
    "direction": pl.String,
    "vision_layer": pl.Int64,
    "language_layer": pl.Int64,
    "vision_layer_name": pl.String,
    "language_layer_name": pl.String,
    "vision_depth": pl.Float64,
    "language_depth": pl.Float64,
    "score": pl.Float64,
    "fold_scores": pl.List(pl.Float64),
    "alphas": pl.List(pl.Float64),
    "on_edge": pl.Float64,
    "chance": pl.Float64,
    **dict.fromkeys(("null_mean", "null_high", "calibrated", "p", "p_max", "q"), pl.Float64),
    "permutations": pl.Int64,
}
