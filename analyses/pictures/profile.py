"""The profile of alignment over relative depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import (
    CONTROLS,
    DIRECTIONS,
    checked,
    in_order,
    is_control,
    peak,
    score_domain,
    score_title,
    series_name,
)
from analyses.pictures.lines import line_layers
from analyses.pictures.theme import config

if TYPE_CHECKING:
    from collections.abc import Collection

_COLUMNS: Final = (
    "vision",
    "language",
    "control",
    "metric",
    "direction",
    "vision_layer",
    "language_layer",
    "vision_depth",
    "language_depth",
    "score",
)
_SIDES: Final = ("vision", "language")
_NAMED: Final = 6
"""Most controls that have names of their own in the legend, as many as there are dashes."""


def profile(frame: pl.DataFrame, *, untrained: Collection[str] = ()) -> alt.ConcatChart:
    """Draw the score over the relative depth of each model, the other model held at its peak layer.

    A line is a row or a column of the map through its best cell. Nothing is maximised along the way, so a flat map
    gives a flat line.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of alignment analyses, of one metric.
    untrained : collection of str
        Spaces that were never trained. Pairs with one of them are controls.

    Returns
    -------
    alt.ConcatChart
        A panel for each direction and model; a line for each pair, controls dashed and grey. A bag of words has no
        depth of its own: over the language model's depth it is drawn straight across.

    Raises
    ------
    VdbError
        If the frame is empty, lacks a column, holds a score that is not finite, or holds two metrics.
    """
    checked(frame, _COLUMNS, "profile")
    keys = ("vision", "language", "control", "direction")
    maps = frame.sort(*keys).partition_by(*keys, maintain_order=True)
    lines = {side: [row for cells in maps for row in _line(cells, side)] for side in _SIDES}
    heads = [cells.row(0, named=True) for cells in maps]
    grey = {series_name(head) for head in heads if is_control(head, untrained)}
    controls = sorted(grey)
    # Of many pairs the controls are told by kind: a name each would be longer than the picture.
    kinds = {series_name(head): _kind(head) for head in heads} if len(grey) > _NAMED else None
    findings = sorted({series_name(head) for head in heads} - grey)

    metric = frame["metric"][0]
    everything = [row["score"] for side in _SIDES for row in lines[side]]
    domain = score_domain(pl.Series(everything))
    panels = [
        line_layers(
            [row for row in lines[side] if row["direction"] == direction],
            findings,
            controls,
            x=alt.X(
                "depth:Q",
                title=f"relative depth in the {side} model",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False),
            ),
            score=score_title(metric),
            domain=domain,
            kinds=kinds,
            tooltip=[
                alt.Tooltip("series:N", title="pair"),
                alt.Tooltip("score:Q", format=".3f"),
                alt.Tooltip("depth:Q", title="relative depth", format=".2f"),
                alt.Tooltip("layer:O", title=f"{side} layer"),
                alt.Tooltip("other:O", title=f"{_other(side)} layer, held"),
            ],
        ).properties(width=250, height=180, title=DIRECTIONS.get(direction, direction))
        for direction in in_order(frame["direction"].to_list(), DIRECTIONS)
        for side in _SIDES
    ]
    bests = [peak(cells) for cells in maps]
    return alt.concat(*panels, columns=2, config=config()).properties(
        description="Scores over relative depth. "
        + ". ".join(
            f"{series_name(b)}, {DIRECTIONS.get(b['direction'], b['direction'])}: best {b['score']:.2f} at depths "
            f"{b['vision_depth']:.2f} (vision) and {b['language_depth']:.2f} (language)"
            for b in bests
        )
        + "."
    )


def _kind(head: dict[str, Any]) -> str:
    """Name the kind of a control."""
    control = CONTROLS.get(head["control"], head["control"])
    return control or "with an untrained model"


def _other(side: str) -> str:
    return "language" if side == "vision" else "vision"


def _line(cells: pl.DataFrame, side: str) -> list[dict[str, Any]]:
    """Cut a map through its peak along the depth of ``side``."""
    best, other = peak(cells), _other(side)
    rows = [
        {
            "series": series_name(row),
            "direction": row["direction"],
            "depth": round(row[f"{side}_depth"], 4),
            "layer": row[f"{side}_layer"],
            "other": row[f"{other}_layer"],
            "score": round(row["score"], 6),
        }
        for row in cells.sort(f"{side}_depth").iter_rows(named=True)
        if row[f"{other}_layer"] == best[f"{other}_layer"]
    ]
    if side == "language" and best["control"] == "bag-of-words":
        best_row = next(row for row in rows if row["layer"] == best["language_layer"])
        return [{**best_row, "depth": depth} for depth in (0.0, 1.0)]
    return rows
