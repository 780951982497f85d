"""How near altered items stay to their originals, over depth."""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from analyses.pictures.frames import in_order, score_domain, score_title
from analyses.pictures.lines import line_layers
from analyses.pictures.theme import config
from vdb.errors import VdbError

_COLUMNS: Final = (
    *("space", "variant", "control", "metric", "direction", "layer", "depth"),
    *("score", "low", "high"),
)
_NAMES: Final = {"cosine": "cosine", "cosine-centred": "cosine, mean taken away"}
_DIRECTIONS: Final = {
    "variant->original": "variant → original",
    "original->variant": "original → variant",
    "symmetric": "",
}


def self_profile(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw a line for each variant over relative depth, beside that of mismatched items.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a self-alignment, of one space.

    Returns
    -------
    alt.ConcatChart
        A panel for each metric and direction.

    Raises
    ------
    VdbError
        If the frame lacks a column or holds no score.
    """
    missing = sorted(set(_COLUMNS) - set(frame.columns))
    if missing:
        raise VdbError(f"self-alignment: the frame has no column {', '.join(missing)}")
    rows = frame.filter(pl.col("score").is_not_null())
    if rows.is_empty():
        raise VdbError("self-alignment: the frame has no score; every layer is the same for all")
    rows = rows.with_columns(
        series=pl.when(pl.col("control") == "none")
        .then("variant")
        .otherwise(pl.format("{}, mismatched", "variant"))
    )
    findings = rows.filter(control="none")["series"].unique().sort().to_list()
    controls = rows.filter(pl.col("control") != "none")["series"].unique().sort().to_list()
    panels = []
    for metric in in_order(rows["metric"].to_list(), _NAMES):
        mine = rows.filter(metric=metric)
        for direction in in_order(mine["direction"].to_list(), _DIRECTIONS):
            cells = mine.filter(direction=direction).sort("series", "depth")
            name = _NAMES.get(metric) or score_title(metric)
            panel = line_layers(
                cells.select(
                    "series", *(pl.col(c).round(6) for c in ("depth", "score", "low", "high"))
                ).to_dicts(),
                findings,
                controls,
                x=alt.X("depth:Q", title="relative depth", scale=alt.Scale(domain=[0, 1])),
                score=name,
                domain=score_domain(cells["score"], cells["low"], cells["high"]),
                tooltip=[
                    alt.Tooltip("series:N", title="variant"),
                    alt.Tooltip("depth:Q", title="depth, relative", format=".2f"),
                    alt.Tooltip("score:Q", format=".3f"),
                    alt.Tooltip("low:Q", title="95 % from", format=".3f"),
                    alt.Tooltip("high:Q", title="to", format=".3f"),
                ],
                band=True,
                title="variant",
            )
            title = alt.Title(name, subtitle=_DIRECTIONS.get(direction, direction))
            panels.append(panel.properties(width=220, height=200, title=title))
    told = f"Self-alignment of {rows['space'][0]} over depth: {', '.join(findings)}."
    return alt.concat(*panels, columns=2, config=config()).properties(description=told)
