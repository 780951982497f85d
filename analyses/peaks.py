"""The best cell of each map, and what the choice itself is worth."""

from __future__ import annotations

import polars as pl

from analyses.intervals import chosen_on_others, of_folds
from analyses.pictures.frames import peak
from vdb.errors import InputError


def with_score(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the cells that have a score.

    Raises
    ------
    InputError
        None has.
    """
    found = frame.filter(pl.col("score").is_not_null())
    if found.is_empty():
        raise InputError("no cell has a score: a layer on either side is the same for every item")
    return found


def peaks(frame: pl.DataFrame) -> pl.DataFrame:
    """Find the best cell of each map of an alignment, and what the choice itself is worth.

    The best cell of many is partly luck. ``held_out`` is nearly free of it where there are folds: the cell is chosen
    on all folds but one and scored on that one, in turn (:func:`analyses.intervals.chosen_on_others`). Not wholly,
    for the other folds were scored by fits that saw this one's rows.

    Returns
    -------
    pl.DataFrame
        ``vision``, ``language``, ``control``, ``direction``, the best cell's layers, their names and relative depths,
        ``score``,
        ``held_out`` with its 95 % interval ``low`` and ``high`` over the folds (null without folds), ``calibrated``,
        ``p_max``, ``chance``, ``n``.
    """
    keys = ["vision", "language", "control", "direction"]
    rows = []
    for _, cells in with_score(frame).group_by(keys, maintain_order=True):
        best = peak(cells)
        folds = chosen_on_others(cells["fold_scores"].to_list())
        held_out = None if folds is None else of_folds(folds, sum(folds) / len(folds))
        rows.append(
            {
                **{name: best[name] for name in (*keys, *_PEAK)},
                "held_out": held_out and held_out.score,
                "low": held_out and held_out.low,
                "high": held_out and held_out.high,
                **{name: best.get(name) for name in _TOLD},
                "n": best["n"],
            }
        )
    return pl.DataFrame(
        rows, schema_overrides=dict.fromkeys(("held_out", "low", "high", *_TOLD), pl.Float64)
    )


_TOLD = ("calibrated", "p_max", "chance")
"""Null where there is no null, or where an older vdb kept the rows."""
_LAYERS = [
    f"{side}_{what}" for what in ("layer", "layer_name", "depth") for side in ("vision", "language")
]
_PEAK = (*_LAYERS, "score")
