"""The layer by layer map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import (
    CONTROLS,
    DIRECTIONS,
    checked,
    in_order,
    peak,
    score_domain,
    score_title,
    series_name,
)
from analyses.pictures.theme import config

if TYPE_CHECKING:
    from collections.abc import Sequence

_EDGE: Final = 250  # px: the longer side of a map, within the limits of a cell
_CELL: Final = (8, 30)  # px: smallest and largest cell
_ROOMY: Final = 14  # px: a cell that holds its own outline
_MOST_LABELS: Final = 13

_OF_BAG: Final = alt.Tooltip("language_name:N", title="bag of words")

_COLUMNS: Final = (
    "vision",
    "language",
    "control",
    "metric",
    "direction",
    "vision_layer",
    "language_layer",
    "vision_layer_name",
    "language_layer_name",
    "vision_depth",
    "language_depth",
    "score",
)


def heatmap(frame: pl.DataFrame, *, controls: bool = False) -> alt.ConcatChart:
    """Draw the layer x layer maps of a frame, one panel for each pair of spaces and direction.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of an alignment analysis, of one metric.
    controls : bool
        Draw the maps of bag of words and mismatched pairs too, as small maps on the same colour scale.

    Returns
    -------
    alt.ConcatChart
        Vision layers upwards, language layers to the right, the best cell of each map marked. The colour scale is
        one for all panels and holds zero.

    Raises
    ------
    VdbError
        If the frame is empty, lacks a column, holds a score that is not finite, or holds two metrics.
    """
    checked(frame, _COLUMNS, "heatmap")
    if not controls:
        frame = checked(
            frame.filter(pl.col("control") == "none"), _COLUMNS, "heatmap without controls"
        )
    frame = frame.sort("vision_layer", "language_layer")
    domain = score_domain(frame["score"])
    maps = frame.partition_by("vision", "language", "control", "direction", maintain_order=True)
    maps.sort(key=_panel_order(frame))
    panels = [_panel(cells, domain) for cells in maps]
    return alt.concat(*panels, columns=_columns(frame), config=config()).properties(
        description=". ".join(describe(cells) for cells in maps) + "."
    )


def describe(cells: pl.DataFrame) -> str:
    """Say in a sentence what one map shows, for those who do not see it."""
    best = peak(cells)
    direction = DIRECTIONS.get(best["direction"], best["direction"])
    return (
        f"Map of {series_name(best)}, {direction}: {cells['vision_layer'].n_unique()} vision layers by "
        f"{cells['language_layer'].n_unique()} language layers, from {min(cells['score'].to_list()):.2f} to "
        f"{best['score']:.2f}, best at vision layer {best['vision_layer']} and language layer "
        f"{best['language_layer']}"
    )


def _columns(frame: pl.DataFrame) -> int:
    """Give each direction a column of its own; with one direction a map stands in a row with its controls."""
    directions, kinds = frame["direction"].n_unique(), frame["control"].n_unique()
    if directions > 1:
        return directions
    return kinds if kinds > 1 else 2


def _panel_order(frame: pl.DataFrame) -> Any:  # noqa: ANN401 - a sort key
    directions = in_order(frame["direction"].to_list(), DIRECTIONS)
    controls = in_order(frame["control"].to_list(), CONTROLS)

    def key(cells: pl.DataFrame) -> tuple[Any, ...]:
        row = cells.row(0, named=True)
        control, direction = controls.index(row["control"]), directions.index(row["direction"])
        return (control, row["vision"], row["language"], direction)

    return key


def _panel(cells: pl.DataFrame, domain: list[float]) -> alt.LayerChart:
    best = peak(cells)
    bag = best["control"] == "bag-of-words"
    vision = cells["vision_layer"].unique().sort().to_list()
    language = cells["language_layer"].unique().sort().to_list()
    smallest, largest = _CELL
    cell = min(largest, max(smallest, _EDGE // max(len(vision), len(language))))
    if best["control"] != "none":
        cell = max(smallest, cell // 2)
    x_title = "bag of words" if bag else f"{best['language']}: layer"
    x = alt.X("language:O", axis=_axis(language, x_title, cell, labels=not bag), sort=language)
    y = alt.Y(
        "vision:O",
        axis=_axis(vision, f"{best['vision']}: layer", cell),
        sort=vision[::-1],
    )
    score = score_title(best["metric"])
    base = alt.Chart(alt.InlineData(values=_rows(cells))).encode(x=x, y=y)
    squares = base.mark_rect().encode(
        color=alt.Color(
            "score:Q",
            scale=alt.Scale(domain=domain, nice=False, zero=False),
            legend=alt.Legend(title=score),
        ),
        tooltip=[
            alt.Tooltip("score:Q", title=score, format=".3f"),
            *_where("vision"),
            *([_OF_BAG] if bag else _where("language")),
        ],
    )
    outline = {
        "band": 0.9 if cell >= _ROOMY else 1.0
    }  # within its cell, unless that would hide the cell
    marked = base.mark_rect(style="best", filled=False, width=outline, height=outline)
    marked = marked.transform_filter("datum.best")
    return (squares + marked).properties(
        width=cell * len(language), height=cell * len(vision), title=_title(best)
    )


def _where(side: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(f"{side}:O", title=f"{side} layer"),
        alt.Tooltip(f"{side}_name:N", title=f"{side} layer name"),
        alt.Tooltip(f"{side}_depth:Q", title=f"{side} depth, relative", format=".2f"),
    ]


def _axis(layers: Sequence[int], title: str, cell: int, *, labels: bool = True) -> alt.Axis:
    legible = max(1, -(-len(layers) // _MOST_LABELS), -(-14 // cell))
    every = next((step for step in (1, 2, 4, 5, 8, 10, 16, 20) if step >= legible), legible)
    return alt.Axis(
        title=title,
        labels=labels,
        ticks=False,
        domain=False,
        labelAngle=0,
        labelPadding=4,
        values=[layer for layer in layers if layer % every == 0],
    )


def _title(best: dict[str, Any]) -> alt.Title:
    bag = best["control"] == "bag-of-words"
    language = best["language_layer_name"] if bag else f"language {best['language_layer']}"
    where = f"vision {best['vision_layer']}, {language}"
    lines = [f"best {best['score']:.2f} at {where}"]
    if best["control"] != "none":
        lines.insert(0, CONTROLS.get(best["control"], best["control"]))
    return alt.Title(DIRECTIONS.get(best["direction"], best["direction"]), subtitle=lines)


def _rows(cells: pl.DataFrame) -> list[dict[str, Any]]:
    best = peak(cells)
    is_best = (pl.col("vision_layer") == best["vision_layer"]) & (
        pl.col("language_layer") == best["language_layer"]
    )
    return cells.select(
        vision="vision_layer",
        language="language_layer",
        vision_name="vision_layer_name",
        language_name="language_layer_name",
        vision_depth=pl.col("vision_depth").round(4),
        language_depth=pl.col("language_depth").round(4),
        score=pl.col("score").round(6),
        best=is_best,
    ).to_dicts()
