"""Where the best cells of many pairs lie."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import (
    DIRECTIONS,
    in_order,
    is_control,
    score_title,
    series_name,
)
from analyses.pictures.theme import config
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_COLUMNS: Final = (
    *("vision", "language", "control", "direction", "vision_layer", "language_layer"),
    *("vision_depth", "language_depth", "score", "held_out"),
)
_SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_AREAS: Final = [20, 420]  # px^2: no score, and the highest of the picture
_LEGEND: Final = {"orient": "right", "direction": "vertical"}


def depth_square(
    best: pl.DataFrame, metric: str, *, untrained: Collection[str] = ()
) -> alt.ConcatChart:
    """Draw the best cell of each map at its relative depths, the larger the higher it scores.

    Parameters
    ----------
    best : pl.DataFrame
        Of :func:`analyses.peaks.peaks`.
    metric : str
        What was measured, as the column ``metric`` has it.
    untrained : collection of str
        Spaces that were never trained. Pairs with one of them are controls.

    Returns
    -------
    alt.ConcatChart
        A unit square for each direction; colour tells the vision model and shape the language model; the area of a
        point is its held-out score, or the best score where nothing
        was held out, and smallest at zero and below. Controls are grey. A bag of words has no depth of its own and
        is left out.

    Raises
    ------
    VdbError
        If a column is missing, or there is no cell to draw.
    """
    missing = sorted(set(_COLUMNS) - set(best.columns))
    if missing:
        raise VdbError(f"peaks: the frame has no column {', '.join(missing)}; give that of peaks")
    rows = [_dot(row, untrained) for row in best.filter(control="none").iter_rows(named=True)] + [
        _dot(row, untrained)
        for row in best.filter(~pl.col("control").is_in(["none", "bag-of-words"])).iter_rows(
            named=True
        )
    ]
    if not rows:
        raise VdbError("peaks: there is no best cell to draw; run the alignment first")
    visions, languages = (
        sorted({row[f"{side}_space"] for row in rows if not row["grey"]})
        for side in ("vision", "language")
    )
    title = f"{score_title(metric)}, held out"
    top = max(0.0, *(row["score"] for row in rows)) or 1.0
    size = alt.Size(
        "shown:Q",
        title=title,
        scale=alt.Scale(domain=[0, top], range=_AREAS),
        legend=alt.Legend(**_LEGEND, format=".2f", tickCount=3),
    )
    panels = [
        _panel(
            [row for row in rows if row["direction"] == direction], visions, languages, size
        ).properties(width=230, height=230, title=DIRECTIONS.get(direction, direction))
        for direction in in_order([row["direction"] for row in rows], DIRECTIONS)
    ]
    return alt.concat(*panels, columns=2, config=config()).properties(
        description=f"Best cells by relative depth, {title}. "
        + ". ".join(
            f"{row['series']}, {DIRECTIONS.get(row['direction'], row['direction'])}: {row['score']:.2f} at "
            f"{row['vision']:.2f} (vision) and {row['language']:.2f} (language)"
            for row in rows
        )
        + "."
    )


def _panel(
    rows: Sequence[dict[str, Any]],
    visions: Sequence[str],
    languages: Sequence[str],
    size: alt.Size,
) -> alt.LayerChart:
    unit = alt.Scale(domain=[0, 1])
    axis = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
    x = alt.X("language:Q", title="relative depth in the language model", scale=unit, axis=axis)
    y = alt.Y("vision:Q", title="relative depth in the vision model", scale=unit, axis=axis)
    tips = [
        alt.Tooltip("series:N", title="pair"),
        alt.Tooltip("score:Q", format=".3f"),
        alt.Tooltip("vision_layer:O", title="vision layer"),
        alt.Tooltip("language_layer:O", title="language layer"),
    ]
    colour = alt.Color(
        "vision_space:N",
        scale=alt.Scale(domain=list(visions)),
        legend=alt.Legend(**_LEGEND, title="vision", symbolOpacity=1),
    )
    shape = alt.Shape(
        "language_space:N",
        scale=alt.Scale(domain=list(languages), range=list(islice(cycle(_SHAPES), len(languages)))),
        legend=alt.Legend(**_LEGEND, title="language", symbolOpacity=1),
    )
    grey, coloured = ([row for row in rows if row["grey"] is which] for which in (True, False))
    layers = []
    for data, control in ((grey, True), (coloured, False)):
        style = {"style": "control"} if control else {}
        dots = alt.Chart(alt.InlineData(values=list(data))).mark_point(
            filled=True, opacity=0.55 if control else 0.8, clip=False, **style
        )
        told = dots.encode(x, y, size, tooltip=tips)
        layers.append(told if control else told.encode(colour, shape))
    return alt.layer(*layers)


def _dot(row: dict[str, Any], untrained: Collection[str]) -> dict[str, Any]:
    score = row["score"] if row["held_out"] is None else row["held_out"]
    return {
        "series": series_name(row),
        "direction": row["direction"],
        "vision_space": row["vision"],
        "language_space": row["language"],
        "vision": round(row["vision_depth"], 4),
        "language": round(row["language_depth"], 4),
        "vision_layer": row["vision_layer"],
        "language_layer": row["language_layer"],
        "score": round(score, 6),
        "shown": round(max(score, 0.0), 6),
        "grey": is_control(row, untrained),
    }
