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
_OF_NEIGHBOURS: Final = ("two-nn", "mle", "hubness", "anti-hubs")
_COLUMNS_OF_PANELS: Final = 3
_BAND: Final = "two-nn"
"""The one measure whose 95 % interval is known in closed form: what shades its panel."""


def panels(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw every measure over the relative depth of the layers, one line a space.

    The title says of what: data sets, variant, and of each space how many vectors are counted.

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
    return alt.concat(*drawn, columns=_COLUMNS_OF_PANELS, config=config()).properties(
        description=_describe(frame),
        title=alt.Title("Geometry of layers", subtitle=_of_what(frame), fontSize=15, limit=900),
    )


def _panel(rows: pl.DataFrame, measure: str, spaces: Sequence[str]) -> alt.LayerChart:
    data = [
        {name: _short(row[name]) for name in _COLUMNS}
        for row in rows.sort("space", "depth").iter_rows(named=True)
    ]
    colour = alt.Color(
        "space:N",
        scale=alt.Scale(domain=list(spaces)),
        legend=alt.Legend(orient="top", title=None, symbolType="stroke", symbolOpacity=1),
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
    if measure == "mle" and "k" in rows.columns:
        title = title.replace("k neighbours", f"{rows['k'][0]} neighbours")
    banded = measure == _BAND and rows["low"].is_not_null().any()
    about = alt.Title(title, subtitle="shaded: 95 % interval, known for it alone" if banded else "")
    return alt.layer(*layers).properties(width=220, height=130, title=about)


def _of_what(frame: pl.DataFrame) -> list[str]:
    """Say what was measured: the items, and of each space how many vectors."""
    first = frame.row(0, named=True)
    items = first.get("datasets") or "all data sets"
    variant = first.get("variant", "original")
    said = [items if variant == "original" else f"{items}, {variant}"]
    sizes = set()
    for rows in frame.partition_by("space", maintain_order=True):
        # Of its fullest layer: one that is constant has a single vector that is unlike the others.
        by_neighbours = rows.filter(pl.col("measure").is_in(_OF_NEIGHBOURS))["n"].to_list()
        every = max(rows["n"].to_list())
        near = max(by_neighbours, default=every)
        sizes.add(near)
        apart = "" if near == every else f" ({near:,} for neighbours)"
        said.append(f"{rows['space'][0]}: n {every:,}{apart}")
    if len(sizes) > 1:
        said.append("n differs: what neighbours tell (dimension, hubness) depends on it")
    return said


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
