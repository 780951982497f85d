"""Forced choices: bars beside chance and people, agreement by strength of preference, and the layer x layer map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES, checked
from analyses.pictures.heatmap import heatmap
from analyses.pictures.theme import config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRIALS: Final = {
    "text-to-image": "a caption, two images",
    "image-to-text": "an image, two captions",
}
ACCURACY: Final = "choices as people's"
_COLUMNS: Final = (
    *("vision", "language", "control", "level", "scope", "direction", "fit", "pairs", "metric"),
    *("vision_layer", "language_layer", "gap_low", "gap_high", "score", "low", "high", "chance"),
    *("human", "human_low", "human_high", "n"),
)
_WIDTH: Final = 260
_BAR: Final = 26
_CHANCE: Final = (1.5, 2.5)
_PEOPLE: Final = (5, 3)


def forced_choice_bars(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw each condition's accuracy at its cell with its interval, beside chance and one judge among others.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows of a forced-choice analysis; those of the set level become panels of their own.

    Returns
    -------
    alt.ConcatChart
        A panel for each kind of trial and fit.

    Raises
    ------
    VdbError
        If the frame is empty or lacks a column, or holds no cell.
    """
    cells = _of_scope(frame, "cell", "bars").filter(pl.col("gap_low").is_null())
    panels = [
        _bars(cells.filter(level=level, direction=direction, fit=fit), level, direction, fit)
        for level, direction, fit in _panels(cells)
    ]
    return alt.concat(*panels, columns=2, config=config()).properties(description=_describe(cells))


def forced_choice_strength(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw accuracy by how strong people's preference is, beside chance and one judge among others.

    Raises
    ------
    VdbError
        If the frame is empty or lacks a column, or no trial says how strong the preference is.
    """
    cells = _of_scope(frame, "cell", "strength").filter(pl.col("gap_low").is_not_null())
    checked(cells, _COLUMNS, "strength")
    panels = [
        _strength(cells.filter(direction=direction, fit=fit).sort("gap_low"), direction, fit)
        for _, direction, fit in _panels(cells)
    ]
    return alt.concat(*panels, columns=2, config=config()).properties(
        description="Agreement with people by strength of their preference."
    )


def forced_choice_map(frame: pl.DataFrame) -> alt.ConcatChart:
    """Draw accuracy less chance for every pair of layers; the difference of the sets where there are no trials' maps.

    Raises
    ------
    VdbError
        If the frame is empty or lacks a column, or holds no map.
    """
    maps = _of_scope(frame, "map", "map")
    trial = maps.filter(pl.col("level") == "trial")
    if trial.is_empty():
        shown, title = maps.filter(pl.col("pairs") == "difference"), "preferred less rejected"
    else:
        shown = trial.with_columns(pl.col("score") - pl.col("chance"))
        title = "accuracy less 0.5"
    named = [_heading(d, f) for d, f in shown.select("direction", "fit").iter_rows()]
    headed = shown.with_columns(
        metric=pl.lit(title), direction=pl.Series("direction", named, dtype=pl.String)
    )
    return heatmap(headed)


def pictures_of(frame: pl.DataFrame) -> dict[str, Callable[[pl.DataFrame], alt.ConcatChart]]:
    """Return the pictures that can be drawn of a frame, by name."""
    found: dict[str, Callable[[pl.DataFrame], alt.ConcatChart]] = {
        "bars": forced_choice_bars,
        "map": forced_choice_map,
    }
    if frame["gap_low"].null_count() < len(frame):
        found["strength"] = forced_choice_strength
    return found


def _of_scope(frame: pl.DataFrame, scope: str, picture: str) -> pl.DataFrame:
    """Keep the rows of maps, or of cells, that have a score; sets and trials have scales of their own."""
    scored = frame.drop_nulls("score") if "score" in frame.columns else frame
    checked(scored.with_columns(metric=pl.lit(picture)), _COLUMNS, picture)
    found = scored.filter(pl.col("scope") == scope)
    checked(found.with_columns(metric=pl.lit(picture)), _COLUMNS, f"{picture} of a {scope}")
    return found


def _panels(cells: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Trials before sets, then kinds of trials and fits in the order of their names."""
    found = cells.select("level", "direction", "fit").unique()
    return found.sort("level", "direction", "fit", descending=[True, True, False]).rows()


def _heading(direction: str, fit: str) -> str:
    return f"{TRIALS.get(direction, direction)}: {DIRECTIONS.get(fit, fit)}"


def _bars(rows: pl.DataFrame, level: str, direction: str, fit: str) -> alt.LayerChart:
    own = rows.filter(pl.col("control") == "none").row(0, named=True)
    data = [_bar(row, level) for row in rows.iter_rows(named=True)]
    score = ACCURACY if level == "trial" else own["metric"]
    start = min(0.0, *(one["low"] if one["low"] is not None else one["score"] for one in data))
    end = 1.0 if level == "trial" else max(one["high"] or one["score"] for one in data)
    x = alt.X("score:Q", title=score, scale=alt.Scale(domain=[start, end], nice=False))
    y = alt.Y(
        "series:N",
        title=None,
        sort=[one["series"] for one in data],
        axis=alt.Axis(labelLimit=200, ticks=False, domain=False),
    )
    base = alt.Chart(alt.InlineData(values=data)).encode(y=y)
    told = [
        alt.Tooltip("score:Q", format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("n:Q", title="trials"),
    ]
    colour = alt.Color("pair:N", scale=alt.Scale(domain=[data[0]["pair"]]), legend=None)
    main = base.transform_filter("!datum.control").mark_bar(size=_BAR * 0.55).encode(colour)
    grey = base.transform_filter("datum.control").mark_bar(size=_BAR * 0.55, style="control")
    layers: list[Any] = [main.encode(x, tooltip=told), grey.encode(x, tooltip=told)]
    told_of = [f"vision {own['vision_layer']}, language {own['language_layer']}; n {own['n']}"]
    if level == "trial":
        layers.append(_line(own["chance"], across=True, dash=_CHANCE))
        told_of.append(f"dotted: chance {own['chance']:.2f}")
    if own["human"] is not None:
        layers.append(_line(own["human"], across=True, dash=_PEOPLE))
        told_of[-1] += f"; dashed: one judge among the others {own['human']:.2f}"
    rule = base.mark_rule(strokeWidth=1.6, style="zero")
    layers.append(rule.encode(alt.X("low:Q", title=score), x2="high:Q"))
    return alt.layer(*layers).properties(
        width=_WIDTH,
        height=alt.Step(_BAR),
        title=alt.Title(_heading(direction, fit), subtitle=told_of),
    )


def _bar(row: dict[str, Any], level: str) -> dict[str, Any]:
    pair = f"{row['vision']} {TIMES} {row['language']}"
    if level == "set":
        series, control = row["pairs"], row["pairs"] == "rejected"
    else:
        control = row["control"] != "none"
        series = CONTROLS.get(row["control"], row["control"]) if control else pair
    numbers = {name: _rounded(row[name]) for name in ("score", "low", "high")}
    return {"series": series, "pair": pair, "control": control, "n": row["n"], **numbers}


def _strength(rows: pl.DataFrame, direction: str, fit: str) -> alt.LayerChart:
    own = rows.filter(pl.col("control") == "none")
    data = [
        {
            "bin": _bin(row),
            "series": f"{row['vision']} {TIMES} {row['language']}",
            "n": row["n"],
            **{
                name: _rounded(row[name])
                for name in ("score", "low", "high", "human", "human_low", "human_high")
            },
        }
        for row in own.iter_rows(named=True)
    ]
    x = alt.X(
        "bin:O",
        title="how much higher the preferred was rated",
        sort=[one["bin"] for one in data],
        axis=alt.Axis(labelAngle=0, ticks=False),
    )
    scale = alt.Scale(domain=[0, 1], nice=False)

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", title=ACCURACY, scale=scale, axis=alt.Axis(tickCount=5))

    base = alt.Chart(alt.InlineData(values=data)).encode(x=x)
    told = [
        alt.Tooltip("score:Q", format=".3f"),
        alt.Tooltip("human:Q", title="one judge among others", format=".3f"),
        alt.Tooltip("n:Q", title="trials"),
    ]
    names = own.row(0, named=True)
    pair = f"{names['vision']} {TIMES} {names['language']}"
    colour = alt.Color("series:N", scale=alt.Scale(domain=[pair]), legend=None)
    layers = [_line(names["chance"], across=False, dash=_CHANCE)]
    if own["human"].null_count() < len(own):
        people = base.transform_filter("isValid(datum.human)")
        layers += [
            people.mark_rule(style="control").encode(y("human_low"), y2="human_high:Q"),
            people.mark_line(style="control", strokeDash=_PEOPLE).encode(y("human")),
            people.mark_point(style="control", filled=True, opacity=1, size=36).encode(y("human")),
        ]
    layers += [
        base.mark_rule(strokeWidth=1.6, style="zero").encode(y("low"), y2="high:Q"),
        base.mark_line(strokeWidth=2.4).encode(y("score"), colour),
        base.mark_point(filled=True, opacity=1, size=50).encode(y("score"), colour, tooltip=told),
    ]
    said = [pair, f"dotted: chance {names['chance']:.2f}; dashed: one judge among the others"]
    return alt.layer(*layers).properties(
        width=_WIDTH, height=200, title=alt.Title(_heading(direction, fit), subtitle=said)
    )


def _line(value: float, *, across: bool, dash: Sequence[float]) -> alt.Chart:
    """Draw a thin line through the panel at a score that bars (``across`` them) or points are held against."""
    rule = alt.Chart(alt.InlineData(values=[{}])).mark_rule(
        style="zero", strokeDash=list(dash), strokeWidth=1.2
    )
    return rule.encode(x=alt.datum(value)) if across else rule.encode(y=alt.datum(value))


def _bin(row: dict[str, Any]) -> str:
    low, high = f"{row['gap_low']:.3g}", f"{row['gap_high']:.3g}"
    return low if low == high else f"{low} to {high}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _describe(cells: pl.DataFrame) -> str:
    said = []
    for row in cells.iter_rows(named=True):
        what = row["pairs"] or CONTROLS.get(row["control"], row["control"]) or row["language"]
        bounds = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
        said.append(f"{_heading(row['direction'], row['fit'])}, {what}: {row['score']:.2f}{bounds}")
    return "Agreement with people's choices. " + ". ".join(said) + "."
