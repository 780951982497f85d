"""Alignment against the size of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import (
    DIRECTIONS,
    TIMES,
    in_order,
    score_domain,
    score_title,
)
from analyses.pictures.theme import config
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDES: Final = ("vision", "language")
_COLUMNS: Final = (
    *("vision", "language", "metric", "direction", "score"),
    *(f"{side}_{what}" for side in _SIDES for what in ("parameters", "rho", "models")),
)

_BILLIONS: Final = "replace(format(datum.value, '~s'), 'G', 'B')"


def size(rows: pl.DataFrame) -> alt.ConcatChart:
    """Draw the held-out score of each pair over the number of weights of its models.

    Parameters
    ----------
    rows : pl.DataFrame
        Of :func:`analyses.sizes.by_size`.

    Returns
    -------
    alt.ConcatChart
        A panel for each direction and side: a small point a pair, a large one and its name a model, at the mean over
        the other side's models, and a line through these. Models of unknown size are not drawn.

    Raises
    ------
    VdbError
        If a column is missing, or a side has no model of known size.
    """
    missing = sorted(set(_COLUMNS) - set(rows.columns))
    if missing:
        raise VdbError(f"size: the frame has no column {', '.join(missing)}; give that of by_size")
    known = {side: rows.filter(pl.col(f"{side}_parameters").is_not_null()) for side in _SIDES}
    empty = [side for side in _SIDES if known[side].is_empty()]
    if empty:
        raise VdbError(
            f"size: no trained {empty[0]} model whose weights are counted has a held-out score"
        )
    domain = score_domain(rows["score"])
    told: list[str] = []
    panels = []
    for direction in in_order(rows["direction"].to_list(), DIRECTIONS):
        for side in _SIDES:
            pairs = known[side].filter(direction=direction)
            if pairs.is_empty():
                continue
            title = DIRECTIONS.get(direction, direction)
            told.append(f"{title}, {side}: {_rho(pairs, side)}")
            panels.append(_panel(pairs, side, domain, alt.Title(title, subtitle=_rho(pairs, side))))
    return alt.concat(*panels, columns=2, config=config()).properties(
        description=f"Held-out {score_title(rows['metric'][0])} over the number of weights. {'. '.join(told)}."
    )


def _panel(
    pairs: pl.DataFrame, side: str, domain: Sequence[float], title: alt.Title
) -> alt.LayerChart:
    score = f"{score_title(pairs['metric'][0])}, held out"
    points = [_point(row, side) for row in pairs.iter_rows(named=True)]
    models = _models(pairs, side)
    low, high = min(row["size"] for row in models), max(row["size"] for row in models)
    x = alt.X(
        "size:Q",
        title=f"weights of the {side} model",
        scale=alt.Scale(type="log", domain=[low / 2, high * 2], nice=False),
        axis=alt.Axis(labelExpr=_BILLIONS, grid=False, values=_ticks(low, high)),
    )
    y = alt.Y("score:Q", title=score, scale=alt.Scale(domain=list(domain), nice=True))
    mean = alt.Chart(alt.InlineData(values=models)).encode(x, y)
    tips = [
        alt.Tooltip("size:Q", title="weights", format=".3~s"),
        alt.Tooltip("score:Q", format=".3f"),
    ]
    colour = alt.Color("kind:N", legend=None)
    return alt.layer(
        alt.Chart(alt.InlineData(values=[{}])).mark_rule(style="zero").encode(y=alt.datum(0)),
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=22, opacity=0.9, style="control")
        .encode(x, y, tooltip=[alt.Tooltip("pair:N"), *tips]),
        mean.mark_line(strokeWidth=2).encode(colour),
        mean.mark_point(filled=True, size=70, opacity=1).encode(
            colour, tooltip=[alt.Tooltip("model:N", title=f"{side} model, mean"), *tips]
        ),
        mean.mark_text(dy=-12, fontSize=11, style="label", limit=150).encode(
            y=alt.Y("highest:Q", title=score), text="model:N"
        ),
    ).properties(width=280, height=200, title=title)


def _models(pairs: pl.DataFrame, side: str) -> list[dict[str, Any]]:
    """Average over the other side's models: one point a model."""
    return (
        pairs.group_by(model=side, size=f"{side}_parameters")
        .agg(
            pl.col("score").mean().round(6),
            highest=pl.col("score").max().round(6),
            kind=pl.lit("mean"),
        )
        .sort("size", "model")
        .to_dicts()
    )


def _point(row: dict[str, Any], side: str) -> dict[str, Any]:
    return {
        "pair": f"{row['vision']} {TIMES} {row['language']}",
        "size": row[f"{side}_parameters"],
        "score": round(row["score"], 6),
    }


def _rho(pairs: pl.DataFrame, side: str) -> str:
    rho, models = pairs.row(0, named=True)[f"{side}_rho"], pairs[f"{side}_models"][0]
    told = "1 model" if models == 1 else f"{models} models"
    return told if rho is None else f"Spearman's rho {rho:.2f} over {told}"


def _ticks(low: float, high: float) -> list[float]:
    """Give 1, 2 and 5 of each power of ten in reach; of far apart sizes the powers alone."""
    steps = (1, 2, 5) if high / low < 50 else (1,)  # noqa: PLR2004 - wider, the labels would touch
    return [
        step * 10.0**power
        for power in range(20)
        for step in steps
        if low / 2 <= step * 10.0**power <= high * 2
    ]
