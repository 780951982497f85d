"""The geometry of layers over relative depth: a panel a measure, a line a space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.theme import config
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Sequence

MEASURES: Final = {
    "two-nn": "intrinsic dimension (TwoNN)",
    "mle": "intrinsic dimension (MLE, k neighbours)",
    "effective-rank": "effective rank (entropy)",
    "participation-ratio": "effective rank (participation ratio)",
    "anisotropy": "anisotropy (mean cosine)",
    "hubness": "hubness (skewness of k-occurrence)",
    "anti-hubs": "share of anti-hubs",
    "loud-units": "variance in the two loudest units",
    "norm": "mean length of a vector",
    "norm-variation": "variation of the lengths",
}
"""The measures in the order of their panels, and their names on axes."""

_COLUMNS: Final = ("space", "layer", "layer_name", "depth", "measure", "value", "low", "high", "n")
_LEGEND: Final = {"orient": "bottom", "direction": "vertical", "symbolType": "stroke"}


def panels(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw every measure over the relative depth of the layers, one line a space.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a geometry analysis.

    Returns
    -------
    alt.ConcatChart
        A panel for each measure, each with its own scale; the 95 % interval shaded where there is one. A layer without
        a value leaves a gap.

    Raises
    ------
    VdbError
        If the frame lacks a column or has no rows, or no layer has any value.
    """
    missing = sorted(set(_COLUMNS) - set(frame.columns))
    if missing:
        raise VdbError(
            f"geometry: the frame has no column {', '.join(missing)}; give an analysis's own frame"
        )
    if frame["value"].is_finite().sum() == 0:
        raise VdbError("geometry: no layer has a value to draw; run the analysis on other layers")
    known = [name for name in MEASURES if name in frame["measure"].unique()]
    spaces = frame["space"].unique(maintain_order=True).to_list()
    drawn = [_panel(frame.filter(pl.col("measure") == name), name, spaces) for name in known]
    return alt.concat(*drawn, columns=2, config=config()).properties(description=_describe(frame))


def _panel(rows: pl.DataFrame, measure: str, spaces: Sequence[str]) -> alt.LayerChart:
    data = [
        {name: _short(row[name]) for name in _COLUMNS}
        for row in rows.sort("space", "depth").iter_rows(named=True)
    ]
    colour = alt.Color(
        "space:N",
        scale=alt.Scale(domain=list(spaces)),
        legend=alt.Legend(**_LEGEND, title="space", symbolOpacity=1),
    )
    x = alt.X(
        "depth:Q",
        title="relative depth",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False),
    )
    scale = alt.Scale(zero=True, nice=True)
    y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
    base = alt.Chart(alt.InlineData(values=data)).encode(x=x)
    layers = []
    if rows["low"].is_not_null().any():
        band = alt.Y("low:Q", title=None, scale=scale)
        area = base.transform_filter("isValid(datum.low)").mark_area(opacity=0.16)
        layers.append(area.encode(colour, y=band, y2="high:Q"))
    tooltip = [
        alt.Tooltip("space:N"),
        alt.Tooltip("value:Q", format=".4~g"),
        alt.Tooltip("layer_name:N", title="layer"),
        alt.Tooltip("depth:Q", title="relative depth", format=".2f"),
        alt.Tooltip("n:Q", title="vectors"),
    ]
    line = base.mark_line(strokeWidth=2.4)
    layers.append(line.encode(colour, y=y))
    points = base.transform_filter("isValid(datum.value)").mark_point(
        filled=True, size=40, opacity=1
    )
    layers.append(points.encode(colour, y=y, tooltip=tooltip))
    title = MEASURES[measure]
    return alt.layer(*layers).properties(width=250, height=160, title=title)


def _short(value: Any) -> Any:  # noqa: ANN401 - a cell of a frame
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _describe(frame: pl.DataFrame) -> str:
    dimension = frame.filter((pl.col("measure") == "two-nn") & pl.col("value").is_not_null())
    sentences = [
        f"{one['space'][0]}: {one['value'][0]:.1f} dimensions (TwoNN) at depth {one['depth'][0]:.2f}, "
        f"{one['value'][-1]:.1f} at {one['depth'][-1]:.2f}"
        for one in dimension.sort("space", "depth").partition_by("space", maintain_order=True)
    ]
    return ". ".join(["Geometry of layers over relative depth", *sentences]) + "."
