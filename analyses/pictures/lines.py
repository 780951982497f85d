"""Lines that stand for pairs of spaces: the findings in colour, the controls dashed, in shades of grey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt

from analyses.pictures.frames import dashes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LEGEND: Final = {"orient": "bottom", "direction": "vertical", "symbolType": "stroke"}


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
        Of the legend of the findings.
    """
    grey = [row for row in rows if row["series"] in set(controls)]
    coloured = [row for row in rows if row["series"] in set(findings)]
    colour = alt.Color("series:N", scale=alt.Scale(domain=list(findings)), legend=_legend(title))
    # Of one field, domain and title, shade and dash merge into one legend.
    told, count = alt.Legend(**_LEGEND, title="controls"), len(controls)
    shade, dash = (
        channel("series:N", scale=alt.Scale(domain=list(controls), range=values), legend=told)
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
        layers.append(line.encode(dash, shade) if control else line.encode(split))
        if thin is not None and not control:
            beside = base.transform_filter(f"isValid(datum.{thin})").mark_line(strokeWidth=0.9)
            fitted = alt.Y(f"{thin}:Q", title=score, scale=scale)
            layers.append(beside.encode(split, y=fitted))
        points = base.mark_point(filled=True, size=18 if control else 40, opacity=1, **style)
        layers.append(points.encode(split, tooltip=list(tooltip)))
    return alt.layer(*layers)


def _legend(title: str) -> alt.Legend:
    return alt.Legend(**_LEGEND, title=title, symbolOpacity=1)
