"""What a number was computed on: rows are compared only where all of it is the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: Final = (
    "n",
    "groups",
    "folds",
    "seed",
    "captions",
    "draws",
    "cell",
    "datasets",
)
"""Items, folds and choices; a frame has those that its analysis knows."""

_ALL: Final = "all"


class Compared(NamedTuple):
    """The controls of one question.

    Attributes
    ----------
    there : mapping of str to pl.DataFrame
        Rows of each control that was run on the same items under the same settings.
    elsewhere : tuple of str
        Controls that exist, but were run on other items or settings only.
    """

    there: Mapping[str, pl.DataFrame]
    elsewhere: tuple[str, ...]


def settings(frame: pl.DataFrame) -> list[str]:
    """Name the columns of a frame that say what its numbers were computed on."""
    return [name for name in SETTINGS if name in frame.columns]


def with_settings(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what rows do not say themselves: data sets (off the run), the layers if given, all k of a curve's run."""
    told = [json.loads(text).get("datasets") for text in rows["parameters"]]
    names = [", ".join(sorted(some)) if some else _ALL for some in told]
    rows = rows.with_columns(datasets=pl.Series(names, dtype=pl.String)).drop("parameters")
    if "cell_rule" in rows.columns:
        given = pl.format("given: {} and {}", "vision_layer", "language_layer")
        rows = rows.with_columns(
            cell=pl.when(pl.col("cell_rule") == "given").then(given).otherwise("cell_rule")
        )
    if "k" in rows.columns:
        ks = rows.group_by("run_id").agg(
            ks=pl.col("k").unique().sort().cast(pl.String).str.join(", ")
        )
        rows = rows.join(ks, on="run_id", maintain_order="left")
    return rows


def alike(main: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Find the rows of one control that may stand beside ``main``; none where it was run otherwise.

    All settings are the same; a curve has both ends of ``main``'s, and of several such curves that with the same
    k, else the last, is taken whole.
    """
    head = main.row(0, named=True)
    same = candidates.filter(
        [pl.col(name).eq_missing(pl.lit(head[name])) for name in settings(main)]
    )
    if "k" not in main.columns or same.is_empty():
        return same
    ends = {main["k"].min(), main["k"].max()}
    runs = same.partition_by("run_id", maintain_order=True) if "run_id" in same.columns else [same]
    whole = [run for run in runs if ends <= set(run["k"].to_list())]
    if not whole:
        return same.clear()
    own = set(main["k"].to_list())
    return next((run for run in whole if set(run["k"].to_list()) == own), whole[-1])
