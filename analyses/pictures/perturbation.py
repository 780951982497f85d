"""What alterations cost: bars at one cell, and maps of the change over all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import DIRECTIONS, TIMES, checked, in_order, score_title
from analyses.pictures.theme import config

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS: Final = ("appearance", "semantic", "unsaid")
_FITS: Final = {
    "transfer": "map of the originals",
    "refit": "fitted again",
    "recomputed": "computed again",
}
_SIDES: Final = {"images": "images", "captions": "captions", "both": "both sides"}
_COLUMNS: Final = (
    *("scope", "level", "vision", "language", "variant", "altered", "kind", "fit", "metric"),
    *("direction", "vision_layer", "language_layer", "delta", "low", "high", "n"),
)
_ROW: Final = 19  # px: height of a bar with its gap
_CELL: Final = (8, 22)  # px: smallest and largest cell of a map
_EDGE: Final = 170  # px: the longer side of a map
_MISMATCHED: Final = "mismatched pairs"
MOST_MAPS: Final = 6
"""Variants whose maps are drawn where none is named: those that cost most."""


def delta_bars(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw each alteration's delta at the cell with its interval, by kind, beside the mean of its kind.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a perturbation, of one pair of spaces and one metric.

    Returns
    -------
    alt.ConcatChart
        A panel for each direction and fit, on one scale; the dashed line is what mismatched pairs lose.

    Raises
    ------
    VdbError
        If the frame lacks a column or holds no delta, or two metrics.
    """
    rows = _checked(frame, "cell", "delta bars")
    rows = rows.with_columns(kind=pl.col("kind").fill_null("unsaid")).filter(
        (pl.col("level") == "variant") | ((pl.col("level") == "group") & (pl.col("variants") > 1))
    )
    rows = rows.with_columns(
        label=_label(rows), mean=pl.col("level") == "group", pair=pl.lit(_pair(rows))
    )
    order = _order(rows)
    bounds = [*rows["low"].drop_nulls(), *rows["high"].drop_nulls(), *rows["delta"], 0.0]
    floors = frame.filter(scope="cell", level="control").drop_nulls("delta")
    bounds += floors["delta"].to_list()
    kinds = [kind for kind in _KINDS if kind in set(rows["kind"])]
    panels: list[alt.LayerChart] = []
    for direction in in_order(rows["direction"].to_list(), DIRECTIONS):
        for fit in in_order(rows["fit"].to_list(), _FITS):
            mine = rows.filter(direction=direction, fit=fit)
            floor = floors.filter(direction=direction, fit=fit)["delta"].to_list()
            told = [DIRECTIONS.get(direction, direction)]
            told += ["dashed: mismatched pairs"] if floor else []
            title = alt.Title(_FITS.get(fit, fit), subtitle=told)
            first = not panels or len(panels) % rows["fit"].n_unique() == 0
            bars = _bars(mine, order, kinds, [min(bounds), max(bounds)], floor, labels=first)
            panels.append(bars.properties(width=230, height=_ROW * len(order), title=title))
    columns = rows["fit"].n_unique() if rows["fit"].n_unique() > 1 else 2
    return alt.concat(*panels, columns=columns, config=config()).properties(
        description=_describe(rows), title=_title(rows, _where(rows))
    )


def delta_heatmaps(
    frame: pl.DataFrame, *, variants: Sequence[str] | None = None, fit: str | None = None
) -> alt.ConcatChart:
    """Draw the change over all pairs of layers, a row of panels for each alteration.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a perturbation, of one pair of spaces and one metric.
    variants : sequence of str, optional
        The six that cost most by default; the map of mismatched pairs stands last, all there is to lose.
    fit : str, optional
        The first of the frame's by default.

    Returns
    -------
    alt.ConcatChart
        One colour scale for all panels, with no change in its middle.

    Raises
    ------
    VdbError
        If the frame lacks a column or holds no delta, or two metrics.
    """
    cells = _checked(frame, "map", "delta maps")
    chosen = fit or in_order(cells["fit"].to_list(), _FITS)[0]
    cells = _checked(cells.filter(fit=chosen), "map", f"delta maps of {chosen}")
    altered = cells.filter(pl.col("level") == "variant")
    costs = altered.group_by("variant").agg(pl.col("delta").mean()).sort("delta", "variant")
    named = costs["variant"].to_list()[:MOST_MAPS] if variants is None else list(variants)
    altered = _checked(altered.filter(pl.col("variant").is_in(named)), "map", "delta maps")
    wrong = cells.filter(level="control").with_columns(variant=pl.lit(_MISMATCHED))
    cells = pl.concat([altered, wrong])
    named = [*named, _MISMATCHED]
    furthest = max(abs(one) for one in cells["delta"].to_list()) or 1e-9
    panels, told = [], []
    directions = in_order(cells["direction"].to_list(), DIRECTIONS)
    for name in [one for one in named if one in set(cells["variant"])]:
        for direction in directions:
            mine = cells.filter(variant=name, direction=direction)
            if mine.is_empty():
                continue
            panels.append(_map(mine, furthest, name, direction))
            told.append(
                f"{name}, {DIRECTIONS.get(direction, direction)}: from {min(mine['delta']):+.2f} "
                f"to {max(mine['delta']):+.2f}"
            )
    return alt.concat(
        *panels, columns=len(directions) if len(directions) > 1 else 3, config=config()
    ).properties(
        description=f"Change of the map, {_FITS.get(chosen, chosen)}. {'. '.join(told)}.",
        title=_title(cells, [f"{_FITS.get(chosen, chosen)}, n = {_counted(cells['n'])}"]),
    )


def _checked(frame: pl.DataFrame, scope: str, picture: str) -> pl.DataFrame:
    missing = set(_COLUMNS) - set(frame.columns)
    rows = (
        frame
        if missing
        else frame.filter((pl.col("scope") == scope) & pl.col("delta").is_not_null())
    )
    checked(rows if missing else rows.with_columns(score="delta"), _COLUMNS, picture)
    return rows


def _pair(rows: pl.DataFrame) -> str:
    return f"{rows['vision'][0]} {TIMES} {rows['language'][0]}"


def _score(rows: pl.DataFrame) -> str:
    """Write the score within a sentence: a metric's title begins with a capital."""
    title = score_title(rows["metric"][0])
    return title if title[:2].isupper() else f"{title[:1].lower()}{title[1:]}"


def _counted(numbers: pl.Series) -> str:
    every = sorted(set(numbers.to_list()))
    return " to ".join(str(one) for one in dict.fromkeys((every[0], every[-1])))


def _where(rows: pl.DataFrame) -> list[str]:
    head = rows.row(0, named=True)
    layers = f"vision layer {head['vision_layer']}, language layer {head['language_layer']}"
    rule = [head["cell_rule"]] if head.get("cell_rule") else []
    return [f"{layers}, n = {_counted(rows['n'])}", *rule]


def _title(rows: pl.DataFrame, told: Sequence[str]) -> alt.Title:
    return alt.Title(_pair(rows), subtitle=[f"change of {_score(rows)}", *told], limit=0)


def _label(rows: pl.DataFrame) -> pl.Series:
    """Name each bar; with the side, where variants of several sides stand together."""
    several = rows["altered"].n_unique() > 1
    names = []
    for row in rows.iter_rows(named=True):
        name = f"mean, {row['variant']}" if row["level"] == "group" else row["variant"]
        names.append(f"{name} ({_SIDES[row['altered']]})" if several else name)
    return pl.Series(names)


def _order(rows: pl.DataFrame) -> list[str]:
    """Put kinds together, sides within them, and of each the alterations that cost least first, then their mean."""
    means = rows.group_by("kind", "altered", "label", "mean").agg(pl.col("delta").mean())
    listed = sorted(
        means.iter_rows(named=True),
        key=lambda row: (
            _KINDS.index(row["kind"]),
            list(_SIDES).index(row["altered"]),
            row["mean"],
            -row["delta"],
            row["label"],
        ),
    )
    return [row["label"] for row in listed]


def _bars(
    rows: pl.DataFrame,
    order: Sequence[str],
    kinds: Sequence[str],
    domain: Sequence[float],
    floor: Sequence[float],
    *,
    labels: bool,
) -> alt.LayerChart:
    data = rows.select(
        "label",
        "kind",
        "mean",
        "pair",
        *(pl.col(name).round(6) for name in ("delta", "low", "high")),
    ).to_dicts()
    base = alt.Chart(alt.InlineData(values=data)).encode(
        y=alt.Y(
            "label:N",
            sort=list(order),
            scale=alt.Scale(domain=list(order)),
            axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=260, labels=labels),
        ),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=list(kinds)),
            legend=alt.Legend(title="what is altered", symbolType="square", orient="right"),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="variant"),
            alt.Tooltip("pair:N", title="spaces"),
            alt.Tooltip("kind:N", title="kind"),
            alt.Tooltip("delta:Q", title="change", format="+.3f"),
            alt.Tooltip("low:Q", title="95 % from", format="+.3f"),
            alt.Tooltip("high:Q", title="to", format="+.3f"),
        ],
    )
    x = alt.X(
        "delta:Q",
        title="altered less original",
        scale=alt.Scale(domain=list(domain), nice=True),
        axis=alt.Axis(tickCount=5),
    )
    layers = [
        base.transform_filter("!datum.mean").mark_bar(opacity=0.45, size=11).encode(x=x),
        base.mark_rule(strokeWidth=1.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.transform_filter("datum.mean")
        .mark_point(filled=True, shape="diamond", size=90, opacity=1)
        .encode(x=x),
        alt.Chart(alt.InlineData(values=[{}])).mark_rule(style="zero").encode(x=alt.datum(0)),
    ]
    if floor:
        line = alt.Chart(alt.InlineData(values=[{}]))
        layers.append(
            line.mark_rule(style="control", strokeDash=[5, 3]).encode(x=alt.datum(floor[0]))
        )
    return alt.layer(*layers)


def _map(cells: pl.DataFrame, furthest: float, name: str, direction: str) -> alt.Chart:
    vision = cells["vision_layer"].unique().sort().to_list()
    language = cells["language_layer"].unique().sort().to_list()
    smallest, largest = _CELL
    cell = min(largest, max(smallest, _EDGE // max(len(vision), len(language))))
    rows = cells.select(
        vision="vision_layer", language="language_layer", delta=pl.col("delta").round(6)
    ).to_dicts()
    head = cells.row(0, named=True)

    def axis(space: str, layers: Sequence[int]) -> alt.Axis:
        every = max(1, -(-len(layers) // 13), -(-14 // cell))
        return alt.Axis(
            title=f"{space}: layer",
            ticks=False,
            domain=False,
            labelAngle=0,
            values=[layer for layer in layers if layer % every == 0],
        )

    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect()
        .encode(
            x=alt.X("language:O", sort=language, axis=axis(head["language"], language)),
            y=alt.Y("vision:O", sort=vision[::-1], axis=axis(head["vision"], vision)),
            color=alt.Color(
                "delta:Q",
                scale=alt.Scale(domain=[-furthest, furthest], domainMid=0, nice=False),
                legend=alt.Legend(title="change", format="+.2f"),
            ),
            tooltip=[
                alt.Tooltip("delta:Q", title="change", format="+.3f"),
                alt.Tooltip("vision:O", title="vision layer"),
                alt.Tooltip("language:O", title="language layer"),
            ],
        )
        .properties(
            width=cell * len(language),
            height=cell * len(vision),
            title=alt.Title(name, subtitle=DIRECTIONS.get(direction, direction)),
        )
    )


def _describe(rows: pl.DataFrame) -> str:
    """Say what the bars show, for those who do not see them."""
    told: list[Any] = [
        f"{row['label']}, {_FITS.get(row['fit'], row['fit'])}, "
        f"{DIRECTIONS.get(row['direction'], row['direction'])}: {row['delta']:+.2f}"
        for row in rows.iter_rows(named=True)
    ]
    return f"Change of alignment of {_pair(rows)} by alteration. {'. '.join(told)}."
