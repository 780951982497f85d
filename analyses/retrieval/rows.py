"""The rows of a retrieval frame: maps over all queries, cells over those that did not choose them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analyses.metrics.ranks_of import MEASURES, above_chance, chance, interval, measures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.cell import Cell
    from analyses.matching import Matched
    from analyses.retrieval.search import Search
    from vdb.space import Space


def map_rows(one: Search, ranks: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return every cell of (V, L, q) ranks, over all queries."""
    lucky = chance(one.right.tolist(), one.gallery.tolist())
    about = {"scope": "map", "n": len(one.groups), "groups": len(set(one.groups))}
    return [
        {
            **about,
            **_gallery(one.gallery),
            "at": at,
            "metric": name,
            "score": float(value),
            "chance": float(luck),
        }
        for at in np.ndindex(*ranks.shape[:2])
        for name, value, luck in zip(MEASURES, measures(ranks[at]), lucky, strict=True)
    ]


def cell_rows(one: Search, cell: Cell, spent: frozenset[str], seed: int) -> list[dict[str, Any]]:
    """Return a search of one cell, over the queries that did not choose it."""
    rows = np.flatnonzero([group not in spent for group in one.groups])
    of = one.ranks[:, 0, 0, rows]
    groups = [one.groups[i] for i in rows]
    score = np.mean([measures(draw) for draw in of], axis=0)
    low, high = interval(of, groups, one.folds[rows], seed)
    lucky = chance(one.right[rows].tolist(), one.gallery[rows].tolist())
    p = None if one.null is None else above_chance(one.null[:, rows])
    return [
        {
            "scope": "cell",
            "cell_rule": cell.rule,
            "metric": name,
            "score": float(score[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "chance": float(lucky[i]),
            "p": None if p is None else float(p[i]),
            "n": len(rows),
            "groups": len(set(groups)),
            **_gallery(one.gallery[rows]),
        }
        for i, name in enumerate(MEASURES)
    ]


def _gallery(sizes: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "gallery": float(sizes.mean()),
        "gallery_low": int(sizes.min()),
        "gallery_high": int(sizes.max()),
    }


SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("vision", "language", "control", "scope", "direction", "metric"), pl.String),
    **dict.fromkeys(("vision_layer", "language_layer"), pl.Int64),
    **dict.fromkeys(("vision_layer_name", "language_layer_name"), pl.String),
    **dict.fromkeys(("vision_depth", "language_depth"), pl.Float64),
    "cell_rule": pl.String,
    **dict.fromkeys(("score", "low", "high", "chance", "p", "gallery"), pl.Float64),
    **dict.fromkeys(("gallery_low", "gallery_high"), pl.Int64),
    **dict.fromkeys(("n", "groups", "unmatched", "folds", "seed"), pl.Int64),
    **dict.fromkeys(("vision_fingerprint", "language_fingerprint"), pl.String),
}


def tidy(
    vision: Space, rows: list[dict[str, Any]], matched: Matched, folds: int, seed: int
) -> pl.DataFrame:
    """Lay rows out as a frame; what a row does not say is null."""
    shared = {
        "vision": vision.name,
        "vision_fingerprint": vision.recipe.fingerprint,
        "unmatched": matched.unmatched,
        "folds": folds,
        "seed": seed,
    }
    told = [{**row, **shared} for row in rows]
    columns = {name: [row.get(name) for row in told] for name in SCHEMA}
    return pl.DataFrame(columns, schema=SCHEMA)
