"""The rows of a forced-choice frame: one schema for maps and cells, trials and sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.recipe import Layer

SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("vision", "language", "control", "level", "scope"), pl.String),
    **dict.fromkeys(("direction", "fit", "pairs", "metric"), pl.String),
    **dict.fromkeys(("vision_layer", "language_layer"), pl.Int64),
    **dict.fromkeys(("vision_layer_name", "language_layer_name"), pl.String),
    **dict.fromkeys(("vision_depth", "language_depth"), pl.Float64),
    "cell_rule": pl.String,
    **dict.fromkeys(("gap_low", "gap_high", "score", "low", "high", "chance"), pl.Float64),
    **dict.fromkeys(("p", "p_max"), pl.Float64),
    **dict.fromkeys(("human", "human_low", "human_high", "attainable"), pl.Float64),
    **dict.fromkeys(("n", "ties", "clusters"), pl.Int64),
    "cluster_rule": pl.String,
    **dict.fromkeys(("human_ties", "left_out", "fitted_on"), pl.Int64),
    "fit_rule": pl.String,
    "captions": pl.String,
    **dict.fromkeys(("folds", "seed"), pl.Int64),
    **dict.fromkeys(("vision_fingerprint", "language_fingerprint"), pl.String),
}
"""Columns and types of the frame."""


def layers(
    vision: Sequence[Layer], language: Sequence[Layer], cell: tuple[int, int]
) -> dict[str, Any]:
    """Name the layers of a cell."""
    i, j = cell
    return {
        "vision_layer": i,
        "language_layer": j,
        "vision_layer_name": vision[i].name,
        "language_layer_name": language[j].name,
        "vision_depth": vision[i].depth,
        "language_depth": language[j].depth,
    }


def tidy(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Lay rows out as a frame; what a row does not say is null."""
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    return pl.DataFrame(columns, schema=SCHEMA).with_columns(pl.selectors.float().fill_nan(None))
