"""Retrieval: R@k at a cell beside random order, and R@10 of every pair of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES, checked, in_order
from analyses.pictures.heatmap import heatmap
from analyses.pictures.theme import config

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS: Final = (
    *("vision", "language", "control", "scope", "direction", "metric"),
    *("vision_layer", "language_layer", "score", "low", "high", "chance", "gallery", "n"),
)
_BAR: Final = 14


def retrieval_bars(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw R@1, R@5 and R@10 of the cell with their intervals, the control beside them, a tick at random order.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a retrieval analysis.

    Returns
    -------
    alt.ConcatChart
        A panel for each direction.

    Raises
    ------
    VdbError
        If the frame is empty or lacks a column, or holds no cell.
    """
    cells = _only(frame, "cell").filter(pl.col("metric").str.starts_with("R@"))
    order = cells["control"].unique(maintain_order=True).to_list()
    panels = [
        _panel(cells.filter(direction=direction), direction, order)
        for direction in in_order(cells["direction"].to_list(), DIRECTIONS)
    ]
    return alt.concat(*panels, columns=2, config=config()).properties(
        description="Retrieval. "
        + " ".join(
            f"{DIRECTIONS.get(row['direction'], row['direction'])}, {_series(row)}: {row['metric']} "
            f"{row['score']:.2f} of {row['gallery']:.0f}, {row['chance']:.2f} in random order."
            for row in cells.iter_rows(named=True)
        )
    )


def retrieval_map(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw R@10 of every pair of layers.

    Raises
    ------
    VdbError
        If the frame is empty or lacks a column, or holds no map.
    """
    return heatmap(_only(frame, "map").filter(pl.col("metric") == "R@10"))


def _only(frame: pl.DataFrame, scope: str) -> pl.DataFrame:
    named = frame.with_columns(metric=pl.lit("retrieval")) if "metric" in frame.columns else frame
    checked(named, _COLUMNS, "retrieval")
    checked(named.filter(pl.col("scope") == scope), _COLUMNS, f"retrieval of a {scope}")
    return frame.filter(pl.col("scope") == scope)


def _series(row: dict[str, Any]) -> str:
    if row["control"] != "none":
        return str(CONTROLS.get(row["control"], row["control"]))
    return f"{row['vision']} {TIMES} {row['language']}"


def _searched(row: dict[str, Any]) -> str:
    """Say how large the galleries are: folds may differ."""
    low, high = (row.get(name) for name in ("gallery_low", "gallery_high"))
    if low is None:  # of an older vdb
        return f"{row['gallery']:.0f}"
    return f"{low}" if low == high else f"{low} to {high}"


def _panel(rows: pl.DataFrame, direction: str, order: Sequence[str]) -> alt.LayerChart:
    data = [
        {
            "series": _series(row),
            "control": row["control"] != "none",
            **{name: row[name] for name in ("metric", "n", "gallery")},
            **{name: round(row[name], 6) for name in ("score", "low", "high", "chance")},
        }
        for row in rows.iter_rows(named=True)
    ]
    names = list(dict.fromkeys(one["series"] for one in data))
    x = alt.X("score:Q", title="recall", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y(
        "metric:N",
        title=None,
        sort=["R@1", "R@5", "R@10"],
        axis=alt.Axis(ticks=False, domain=False),
    )
    told = [
        alt.Tooltip("series:N", title="pair"),
        alt.Tooltip("score:Q", title="recall", format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("chance:Q", title="random order", format=".3f"),
    ]
    base = alt.Chart(alt.InlineData(values=data)).encode(
        y=y, yOffset=alt.YOffset("series:N", sort=names, scale=alt.Scale(domain=names))
    )
    findings = [one["series"] for one in data if not one["control"]][:1]
    colour = alt.Color("series:N", scale=alt.Scale(domain=findings), legend=None)
    bars = base.transform_filter("!datum.control").mark_bar(size=_BAR * 0.75)
    grey = base.transform_filter("datum.control").mark_bar(size=_BAR * 0.75, style="control")
    first = rows.row(0, named=True)
    where = f"vision {first['vision_layer']}, language {first['language_layer']}"
    grey_ones = ", then ".join(CONTROLS.get(one, one) for one in order if one != "none")
    said = [
        f"{where}; {first['n']} queries, {_searched(first)} to search",
        f"grey: {grey_ones}; tick: random order" if grey_ones else "tick: random order",
    ]
    return alt.layer(
        bars.encode(x, colour, tooltip=told),
        grey.encode(x, tooltip=told),
        base.mark_rule(style="zero", strokeWidth=1.6).encode(
            alt.X("low:Q", title="recall"), x2="high:Q"
        ),
        base.mark_tick(style="best", thickness=2, size=_BAR).encode(
            alt.X("chance:Q", title="recall")
        ),
    ).properties(
        width=260,
        height=alt.Step(_BAR, **{"for": "offset"}),
        title=alt.Title(DIRECTIONS.get(direction, direction), subtitle=said),
    )
