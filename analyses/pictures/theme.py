"""How every picture looks: one type, one colour map, one set of line colours, on paper and on a dark screen.

Colours live in the Vega configuration and nowhere else, so that the same chart can be drawn light (a paper) or
dark (a report read at night) by exchanging the configuration.
"""

from __future__ import annotations

from typing import Any, Final, Literal

Mode = Literal["light", "dark"]

FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Liberation Sans is built into the renderer, and has Arial's metrics everywhere else."""

# From paper to ink (light) and from night to light (dark): equal CIELAB distances between neighbours, lightness
# monotonic, so that equal differences of score look equal, also in greyscale print and to colour-blind readers.
RAMP: Final[dict[Mode, tuple[str, ...]]] = {
    "light": (
        "#f0f8f7",
        "#cce7e8",
        "#a8d6dc",
        "#84c3d1",
        "#62b0c7",
        "#439bbb",
        "#2985ad",
        "#1a6f9c",
        "#195987",
        "#1c4370",
        "#1c2f58",
    ),
    "dark": (
        "#272935",
        "#2f3a4f",
        "#314c6a",
        "#2f6184",
        "#2c779c",
        "#328eb0",
        "#49a5c0",
        "#69bbcc",
        "#8dcfd7",
        "#b2e2e3",
        "#d7f4f1",
    ),
}

DIVERGING: Final[dict[Mode, tuple[str, ...]]] = {
    "light": (
        "#7f2a04",
        "#b4521d",
        "#d98455",
        "#efb998",
        "#f7f6f4",
        "#a9cbe6",
        "#629fcf",
        "#2873ad",
        "#0d4a7c",
    ),
    "dark": (
        "#ffc79d",
        "#e79560",
        "#b5683a",
        "#6f4631",
        "#272935",
        "#2f4a66",
        "#3b75a6",
        "#62a5da",
        "#a5d3f8",
    ),
}
"""From loss to gain, by way of the ground where nothing changed; the ends apart for colour-blind readers."""

LINES: Final[dict[Mode, tuple[str, ...]]] = {
    "light": ("#0b67b2", "#c4480a", "#0e7a5f", "#8a3fb0", "#94720a", "#b8336a"),
    "dark": ("#5fb3f5", "#f39a5f", "#4fc9a4", "#c792ea", "#d9b84a", "#f07ba6"),
}
"""One colour for each pair of spaces, in the order in which they come."""

CONTROLS: Final[dict[Mode, str]] = {"light": "#868e96", "dark": "#8b949e"}
"""The grey of the controls' points and bands."""

GREYS: Final[dict[Mode, tuple[str, ...]]] = {
    "light": ("#343a40", "#adb5bd", "#6c757d"),
    "dark": ("#e9ecef", "#6c757d", "#adb5bd"),
}
"""The shades of the controls' lines, in the order in which they come; neighbours far apart."""

_INK: Final[dict[Mode, str]] = {"light": "#212529", "dark": "#e6e8eb"}
_MUTED: Final[dict[Mode, str]] = {"light": "#5c636a", "dark": "#a3abb3"}
_FAINT: Final[dict[Mode, str]] = {"light": "#e9ecef", "dark": "#2b3036"}
_MARK: Final[dict[Mode, str]] = {"light": "#e8590c", "dark": "#ff922b"}
_GROUND: Final[dict[Mode, str]] = {"light": "#ffffff", "dark": "transparent"}


def config(mode: Mode = "light") -> dict[str, Any]:
    """Return the Vega-Lite configuration of every picture.

    Parameters
    ----------
    mode : {"light", "dark"}
        ``light`` has a white ground, as paper has; ``dark`` lets the page's ground through.

    Returns
    -------
    dict
        A ``config`` object of Vega-Lite. The styles ``best`` (the marked cell), ``zero`` (the line at no
        alignment) ``control`` and ``label`` (a name in a picture) are used by the charts.
    """
    ink, muted, faint = _INK[mode], _MUTED[mode], _FAINT[mode]
    return {
        "background": _GROUND[mode],
        "font": FONT,
        "padding": 8,
        "concat": {"spacing": 28},
        "view": {"stroke": None},
        "axis": {
            "domainColor": muted,
            "gridColor": faint,
            "labelColor": muted,
            "labelFontSize": 11,
            "labelFontWeight": "normal",
            "tickColor": muted,
            "tickSize": 4,
            "titleColor": ink,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titleLimit": 260,
            "titlePadding": 8,
        },
        "legend": {
            "gradientLength": 160,
            "gradientThickness": 10,
            "labelColor": muted,
            "labelFontSize": 11,
            "labelLimit": 300,
            "orient": "right",
            "symbolBaseFillColor": muted,
            "symbolSize": 260,
            "symbolStrokeWidth": 2,
            "titleColor": ink,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titleLimit": 260,
        },
        "title": {
            "anchor": "start",
            "color": ink,
            "fontSize": 13,
            "fontWeight": "bold",
            "limit": 320,
            "offset": 8,
            "subtitleColor": muted,
            "subtitleFontSize": 11,
        },
        "range": {
            "category": list(LINES[mode]),
            "diverging": list(DIVERGING[mode]),
            "heatmap": list(RAMP[mode]),
            "ordinal": list(GREYS[mode]),
            "ramp": list(RAMP[mode]),
        },
        "line": {"strokeJoin": "round"},
        "style": {
            "best": {"color": _MARK[mode], "strokeWidth": 2},
            "zero": {"color": muted, "strokeWidth": 0.75},
            "control": {"color": CONTROLS[mode]},
            "label": {"color": ink},
        },
    }
