"""From a chart to files: its specification, a vector and a raster picture, all made on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import vl_convert

_NO_NETWORK: Final[list[str]] = []  # base addresses that data may be loaded from
_IDS: Final = re.compile(r'<(?:linearGradient|clipPath) id="(([a-z]+)_?\d+)"')
_PIXELS_PER_POINT: Final = 3  # 216 ppi: sharp in print at column width


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart in the forms it is kept in.

    Attributes
    ----------
    spec : str
        Vega-Lite JSON with the plotted numbers in it.
    svg : bytes
        Vector picture, UTF-8, on a white ground.
    png : bytes
        Raster picture, three pixels to a point.
    """

    spec: str
    svg: bytes
    png: bytes

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return str(json.loads(self.spec).get("description", ""))


def render(chart: Any) -> Picture:  # noqa: ANN401 - any of Altair's chart classes
    """Draw a chart with the bundled renderer and its bundled fonts; nothing is fetched.

    Parameters
    ----------
    chart : alt.Chart or another of Altair's charts

    Returns
    -------
    Picture
        The same bytes for the same chart.
    """
    spec = json.dumps(chart.to_dict(), ensure_ascii=False, sort_keys=True)
    version = vl_convert.get_vegalite_versions()[-1]
    # A picture has one description; a label on each of its marks would triple the file and help nobody.
    quiet = {"aria": False}
    svg = vl_convert.vegalite_to_svg(
        spec, vl_version=version, config=quiet, allowed_base_urls=_NO_NETWORK
    )
    png = vl_convert.vegalite_to_png(
        spec, vl_version=version, scale=_PIXELS_PER_POINT, allowed_base_urls=_NO_NETWORK
    )
    return Picture(spec=spec, svg=_steady(svg).encode(), png=png)


def _steady(svg: str) -> str:
    """Renumber the picture's ids from zero: the renderer counts on from one picture to the next."""
    names = {name: f"{kind}{i}" for i, (name, kind) in enumerate(_IDS.findall(svg))}
    for old, new in names.items():
        svg = svg.replace(f'id="{old}"', f'id="picture-{new}"').replace(
            f"url(#{old})", f"url(#picture-{new})"
        )
    return svg
