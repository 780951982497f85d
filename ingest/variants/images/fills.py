"""What takes the place of pixels that are removed from an image."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageFilter

from ingest.variants.base import Inapplicable
from vdb.errors import InputError
from vdb.settings import Parameter, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

BLUR: Final = 0.1
"""Spread of the ``blur`` fill, in shorter sides of the image."""

INPAINT_RADIUS: Final = 3
"""How many pixels about a removed one inpainting looks at."""

_WHEELS: Final = (  # OpenCV comes under any of these names
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


def fill_in(image: Image.Image, removed: NDArray[np.bool_], how: str) -> Image.Image:
    """Replace the removed pixels of an image; every other stays as it is, bit for bit.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB; not changed.
    removed : (height, width) array of bool
    how : {"mean", "blur", "inpaint"}
        A key of :data:`FILLS`.

    Raises
    ------
    Inapplicable
        No pixel is removed, or none is left to fill from.
    InputError
        ``inpaint`` without OpenCV.
    """
    if not removed.any():
        raise Inapplicable("there is nothing to remove")
    if removed.all():
        raise Inapplicable("what is removed covers the whole image: nothing is left to fill from")
    mask = Image.fromarray(removed.view(np.uint8) * np.uint8(255))
    filling = FILLS[how](image, mask)
    return Image.composite(filling, image, mask)


def _mean(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Give the mean colour of the kept pixels: nothing of what is removed remains, but its outline."""
    kept = mask.point([255 - level for level in range(256)])
    counts = np.array(image.histogram(kept)).reshape(3, 256)
    colour = np.rint(counts @ np.arange(256) / counts[0].sum()).astype(int).tolist()
    return Image.new("RGB", image.size, tuple(colour))


def _blur(image: Image.Image, _mask: Image.Image) -> Image.Image:
    """Give the image, all of it, blurred by :data:`BLUR` shorter sides.

    So the colours and the coarse layout of what is removed remain, detail below a fifth of the shorter side does not,
    and the colours of what is kept run into it.
    """
    return image.filter(ImageFilter.GaussianBlur(BLUR * min(image.size)))


def _inpaint(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Let the kept pixels grow inwards from the outline, as OpenCV does it in the name of Navier and Stokes.

    M. Bertalmio, A. L. Bertozzi, G. Sapiro, CVPR 2001, I-355. Not OpenCV's other method, Telea's: it brightens as it
    goes, and made of an even grey of 90 one of up to 118 in a hole of 400 x 360 pixels. It marches pixel by pixel,
    which is why this is the slow fill.
    """
    cv2 = _opencv()
    # OpenCV reads beyond the memory of an image of one row or column: every image gets a border, of its own edge.
    pixels, removed = (
        cv2.copyMakeBorder(np.asarray(plane), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        for plane in (image, mask)
    )
    filled: NDArray[np.uint8] = cv2.inpaint(pixels, removed, INPAINT_RADIUS, cv2.INPAINT_NS)
    return Image.fromarray(filled[1:-1, 1:-1].copy())


def _opencv() -> Any:  # noqa: ANN401 - a module
    try:
        return import_module("cv2")
    except ImportError as error:
        raise InputError(_NO_OPENCV) from error


_NO_OPENCV: Final = 'fill=inpaint needs OpenCV; install it with: pip install "vdb[inpaint]"'

FILLS: Final[Mapping[str, Callable[[Image.Image, Image.Image], Image.Image]]] = {
    "mean": _mean,
    "blur": _blur,
    "inpaint": _inpaint,
}
"""From an RGB image and a mask (``L``, 255 where a pixel is removed) to the image that shows there."""

FILL: Final = Parameter("mean", "what takes the place of the removed", choices=tuple(FILLS))
"""The parameter of every variant that removes."""


def libraries(settings: Mapping[str, Setting]) -> tuple[str, ...]:
    """Name the package that decides the outcome: Pillow if it blurs, OpenCV if it inpaints, none of a mean.

    Raises
    ------
    InputError
        It inpaints, and OpenCV is not installed.
    """
    if settings["fill"] == "blur":
        return ("pillow",)
    if settings["fill"] != "inpaint":
        return ()
    for name in _WHEELS:
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        return (name,)
    raise InputError(_NO_OPENCV)
