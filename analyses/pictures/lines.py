"""Lines that stand for pairs of spaces: the findings in colour, the controls dashed, in shades of grey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt

from analyses.pictures.frames import dashes
from analyses.pictures.theme import LINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LEGEND: Final = {"orient": "bottom", "direction": "vertical"}
_SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross")


def line_layers(
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[str],
    controls: Sequence[str],
    *,
    x: alt.X,
    score: str,
    domain: Sequence[float],
    tooltip: Sequence[alt.Tooltip],
    band: bool = False,
    thin: str | None = None,
    title: str = "pair",
    kinds: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """Draw one panel: a line with points for each series, over a thin line at zero.

    Parameters
    ----------
    rows : sequence of mappings
        With a ``series``, a ``score``, the fields of ``x`` and ``tooltip`` and, for a ``band``, ``low`` and ``high``.
    findings, controls : sequence of str
        The series of the whole picture, in order: every panel gets the same colours and dashes.
    x, tooltip
        Channels of Altair.
    score : str
        The title of the vertical axis.
    domain : sequence of float
        The range of scores, the same for all panels.
    band : bool
        Shade the interval from ``low`` to ``high``.
    thin : str, optional
        A field of the findings to draw as a thin line beside each.
    title : str
        Of the legend of the findings. More of them than there are colours differ by the shape of their points too.
    kinds : mapping of str to str, optional
        What the legend calls each control, several alike where one name a control would be too many.
    """
    kinds = kinds or {name: name for name in controls}
    told_as = list(dict.fromkeys(kinds[name] for name in controls))
    grey = [{**row, "kind": kinds[row["series"]]} for row in rows if row["series"] in set(controls)]
    coloured = [row for row in rows if row["series"] in set(findings)]
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=list(findings)), legend=_legend(title, findings)
    )
    # Of one field, domain and title, shade and dash merge into one legend.
    told, count = alt.Legend(**_LEGEND, symbolType="stroke", title="controls"), len(told_as)
    shade, dash = (
        channel("kind:N", scale=alt.Scale(domain=told_as, range=values), legend=told)
        for channel, values in ((alt.Stroke, "ordinal"), (alt.StrokeDash, dashes(count)))
    )
    scale = alt.Scale(domain=list(domain), nice=True)
    y = alt.Y("score:Q", title=score, scale=scale, axis=alt.Axis(tickCount=5))
    low = alt.Y("low:Q", title=score, scale=scale)
    layers = [
        # Nothing is drawn by the first: it puts the pairs before the controls in the legend, with the look of lines.
        alt.Chart(alt.InlineData(values=[])).mark_line(strokeWidth=2.4).encode(colour),
        alt.Chart(alt.InlineData(values=[{}])).mark_rule(style="zero").encode(y=alt.datum(0)),
    ]
    for data, control in ((grey, True), (coloured, False)):
        if not data:
            continue
        base = alt.Chart(alt.InlineData(values=list(data))).encode(x=x, y=y)
        style = {"style": "control"} if control else {}
        split = alt.Detail("series:N") if control else colour
        if band:
            area = base.mark_area(opacity=0.16, **style)
            layers.append(area.encode(split, y=low, y2="high:Q"))
        line = base.mark_line(strokeWidth=1.6 if control else 2.4, **style)
        layers.append(line.encode(dash, shade, split) if control else line.encode(split))
        if thin is not None and not control:
            beside = base.transform_filter(f"isValid(datum.{thin})").mark_line(strokeWidth=0.9)
            fitted = alt.Y(f"{thin}:Q", title=score, scale=scale)
            layers.append(beside.encode(split, y=fitted))
        points = base.mark_point(filled=True, size=18 if control else 40, opacity=1, **style)
        shaped = () if control or not _many(findings) else (_shape(title, findings),)
        layers.append(points.encode(split, *shaped, tooltip=list(tooltip)))
    return alt.layer(*layers)


def _many(findings: Sequence[str]) -> bool:
    return len(findings) > len(LINES["light"])


def _legend(title: str, findings: Sequence[str]) -> alt.Legend:
    if _many(findings):
        return alt.Legend(**_LEGEND, title=title, symbolOpacity=1, columns=2, symbolSize=70)
    return alt.Legend(**_LEGEND, symbolType="stroke", title=title, symbolOpacity=1)


def _shape(title: str, findings: Sequence[str]) -> alt.Shape:
    """Give each round of the colours another shape, in one legend with them."""
    shapes = [_SHAPES[i // len(LINES["light"]) % len(_SHAPES)] for i in range(len(findings))]
    return alt.Shape(
        "series:N",
        scale=alt.Scale(domain=list(findings), range=shapes),
        legend=_legend(title, findings),
    )
