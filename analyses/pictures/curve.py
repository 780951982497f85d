"""The curve of alignment by number of averaged exemplars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import (
    DIRECTIONS,
    checked,
    in_order,
    is_control,
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
    "average",
    "metric",
    "direction",
    "vision_layer",
    "language_layer",
    "k",
    "score",
    "low",
    "high",
)


def curve(frame: pl.DataFrame, *, untrained: Collection[str] = ()) -> alt.ConcatChart:
    """Draw the score against the number of exemplars averaged, on a log2 axis, with its 95 % interval.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of an exemplar-avg analysis, of one metric and one kind of average.
    untrained : collection of str
        Spaces that were never trained. Pairs with one of them are controls.

    Returns
    -------
    alt.ConcatChart
        A panel for each direction; mismatched averages and untrained models dashed and grey; a thin line where plain
        noise averaging, or the fitted curve, would have each finding.

    Raises
    ------
    VdbError
        If the frame is empty, lacks a column, holds a score that is not finite, or holds two metrics or averages.
    """
    checked(frame, _COLUMNS, "curve")
    checked(
        frame.with_columns(metric=pl.format("average of {}", "average")), _COLUMNS, "curve"
    )  # two kinds of average on one curve would be one zigzag line
    heads = frame.unique(["vision", "language", "control"], maintain_order=True).to_dicts()
    grey = {series_name(head) for head in heads if is_control(head, untrained)}
    findings = sorted({series_name(head) for head in heads} - grey)
    ks = frame["k"].unique().sort().to_list()
    metric = frame["metric"][0]
    score = score_title(metric)
    domain = score_domain(frame["score"], frame["low"], frame["high"])
    what = {"both": "items averaged on both sides"}.get(
        frame["average"][0], f"{frame['average'][0]} averaged"
    )
    panels = [
        line_layers(
            [
                {
                    "series": series_name(row),
                    **{name: round(row[name], 6) for name in ("score", "low", "high")},
                    "k": row["k"],
                    "predicted": _rounded(row.get("predicted")),
                }
                for row in frame.filter(pl.col("direction") == direction)
                .sort("vision", "language", "control", "k")
                .iter_rows(named=True)
            ],
            findings,
            sorted(grey),
            x=alt.X(
                "k:Q",
                title=what,
                scale=alt.Scale(type="log", base=2, domain=[ks[0], ks[-1]], nice=False, padding=8),
                axis=alt.Axis(values=ks, format="d", grid=False),
            ),
            score=score,
            domain=domain,
            tooltip=[
                alt.Tooltip("series:N", title="pair"),
                alt.Tooltip("k:Q", title="averaged"),
                alt.Tooltip("score:Q", format=".3f"),
                alt.Tooltip("low:Q", title="95 % from", format=".3f"),
                alt.Tooltip("high:Q", title="to", format=".3f"),
            ],
            band=True,
            thin="predicted" if "predicted" in frame.columns else None,
        ).properties(width=250, height=220, title=DIRECTIONS.get(direction, direction))
        for direction in in_order(frame["direction"].to_list(), DIRECTIONS)
    ]
    return alt.concat(*panels, columns=2, config=config()).properties(description=_describe(frame))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _describe(frame: pl.DataFrame) -> str:
    keys = ("vision", "language", "control", "direction")
    sentences = []
    for line in frame.sort(*keys, "k").partition_by(*keys, maintain_order=True):
        first, last = line.row(0, named=True), line.row(-1, named=True)
        sentences.append(
            f"{series_name(first)}, {DIRECTIONS.get(first['direction'], first['direction'])}: "
            f"{first['score']:.2f} at {first['k']}, {last['score']:.2f} at {last['k']}"
        )
    return "Scores by number averaged. " + ". ".join(sentences) + "."
