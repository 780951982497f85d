"""Pictures of variants: before and after, and every one of them on one sheet.

``python -m ingest.variants.sheet docs/images/variants.png`` draws the sheet of the documentation again.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageDraw, ImageFont

from ingest.demo.render import BACKGROUND, render
from ingest.demo.scenes import sample_scene
from ingest.variants.base import ImageItem, Segment
from ingest.variants.naming import choose
from ingest.variants.registry import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PAPER, _INK, _FAINT, _HAIRLINE = "#ffffff", "#1c1f24", "#6a717c", "#d5d9df"
_CAPTION, _TITLE = 15, 18  # sizes of type, in pixels
_GAP: Final = 14  # between cells, and about the sheet
_LEADING: Final = 6  # between a picture and its caption
_SHOWN: Final = 480  # longest side of a picture before and after, in pixels

_SCENE: Final = (0, 10)  # seed and number of the scene on the sheet
_ENLARGED: Final = 2  # pixels of the sheet along the side of a pixel of the scene
_COLUMNS: Final = 7


def contact_sheet(cells: Sequence[tuple[str, Image.Image]], columns: int = 5) -> Image.Image:
    """Lay pictures out in rows, each over its caption, on white.

    Parameters
    ----------
    cells : sequence of (str, PIL.Image.Image)
        Captions and pictures. A cell is as large as the largest picture; a caption that is wider ends in an ellipsis.
    columns : int

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    columns = max(1, min(columns, len(cells)))
    wide = max((picture.width for _, picture in cells), default=0)
    high = max((picture.height for _, picture in cells), default=0)
    across, down = wide + _GAP, high + _LEADING + _line(_CAPTION) + _GAP
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (caption, picture) in enumerate(cells):
        left, top = _GAP + index % columns * across, _GAP + index // columns * down
        corner = left + (wide - picture.width) // 2, top + high - picture.height
        frame = (
            corner[0] - 1,
            corner[1] - 1,
            corner[0] + picture.width,
            corner[1] + picture.height,
        )
        draw.rectangle(frame, outline=_HAIRLINE)  # white pictures would have no edge on white
        sheet.paste(picture, corner)
        place = (left + wide / 2, top + high + _LEADING)
        draw.text(place, _fitted(caption, wide, _CAPTION), _INK, _font(_CAPTION), anchor="ma")
    return sheet


def before_after(original: Image.Image, altered: Image.Image, title: str) -> Image.Image:
    """Put an image beside what a variant made of it, under a title.

    Parameters
    ----------
    original, altered : PIL.Image.Image
        RGB; drawn at most 480 pixels long.
    title : str
        One line: the variant, and the item's id.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    pair = contact_sheet([("original", _shown(original)), ("altered", _shown(altered))])
    return _titled([(title, pair)])


def variant_sheet() -> Image.Image:
    """Draw every image variant of vdb, with its defaults, on a scene of the demo world.

    Returns
    -------
    PIL.Image.Image
        RGB; appearance first, then what is semantic, each beginning with the original.
    """
    item = specimen()
    parts = []
    for kind, title in (("appearance", "Appearance"), ("semantic", "Semantic")):
        names = [
            name
            for name, variant in VARIANTS.items()
            if variant.modality == "image" and variant.kind == kind
        ]
        cells = [(name, choose(name).apply(item)) for name in names]
        parts.append((title, contact_sheet([("original", item.image), *cells], _COLUMNS)))
    return _titled(parts)


def specimen() -> ImageItem:
    """Return the item on the sheet: a scene of the demo world, enlarged without smoothing, and its exact masks."""
    scene = sample_scene(*_SCENE)
    pixels, labels = (_enlarged(array) for array in render(scene))
    things = [(index, thing.category) for index, thing in enumerate(scene.things)]
    segments = (
        Segment(category, is_thing=label != BACKGROUND, is_crowd=False, mask=labels == label)
        for label, category in (*things, (BACKGROUND, scene.background))
    )
    return ImageItem("scene", Image.fromarray(pixels), tuple(segments))


def _enlarged(array: NDArray[Any]) -> NDArray[Any]:
    return array.repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)


def _titled(parts: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Stack pictures, each under its title."""
    head = _GAP + _line(_TITLE)
    wide = max(picture.width for _, picture in parts)
    high = sum(head + picture.height for _, picture in parts)
    page = Image.new("RGB", (wide, high), _PAPER)
    draw = ImageDraw.Draw(page)
    top = 0
    for title, picture in parts:
        draw.text(
            (_GAP, top + _GAP), _fitted(title, wide - 2 * _GAP, _TITLE), _FAINT, _font(_TITLE)
        )
        page.paste(picture, (0, top + head))
        top += head + picture.height
    return page


def _shown(image: Image.Image) -> Image.Image:
    """Scale to :data:`_SHOWN` pixels: smoothly down, or up by whole pixels, so that small images can be seen."""
    longest = max(image.size)
    if longest <= _SHOWN:
        times = max(1, _SHOWN // longest)
        return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    width, height = (max(1, round(side * _SHOWN / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _fitted(text: str, width: int, size: int) -> str:
    """Shorten a text to what fits into ``width`` pixels, on one line."""
    text = " ".join(text.split())
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _line(size: int) -> int:
    """Height of a line of type in pixels."""
    return round(size * 1.3)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Aileron, which Pillow carries


if __name__ == "__main__":
    variant_sheet().save(Path(sys.argv[1]), "PNG", optimize=True)
