"""Variants by what the pixels belong to: things or stuff, kept, removed, or as shapes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from scipy import ndimage

from ingest.variants.base import ImageItem, Inapplicable, Need, Segment, Variant
from ingest.variants.images.fills import FILL, fill_in, libraries
from vdb.errors import InputError
from vdb.masks import ALL, LARGEST, PANOPTIC
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MARGIN: Final = Parameter(
    0.0, "how far beyond its mask it is removed, in shorter sides", low=0, high=1
)
_SEGMENTATION: Final = Parameter(
    PANOPTIC, "the segmentation that is used: panoptic, instances, ..."
)


def things_only(item: ImageItem, _rng: np.random.Generator, fill: str) -> Image.Image:
    """Keep the things, crowds too, and fill everything else.

    Raises
    ------
    Inapplicable
        There is no thing, or nothing else.
    """
    things = [segment for segment in item.segments if segment.is_thing]
    if not (kept := covered(item, things)).any():
        raise Inapplicable("it has no things")
    return fill_in(item.image, ~kept, fill)


def stuff_only(item: ImageItem, _rng: np.random.Generator, fill: str, margin: float) -> Image.Image:
    """Keep the stuff and fill everything else: things, what no mask covers, and ``margin`` about them.

    Raises
    ------
    Inapplicable
        There is no stuff, as where an image has masks of instances alone, or nothing else.
    """
    stuff = [segment for segment in item.segments if not segment.is_thing]
    if not (kept := covered(item, stuff)).any():
        raise Inapplicable(
            "it has no masks of stuff (panoptic masks have them, instances have none)"
        )
    return fill_in(item.image, widened(~kept, margin), fill)


def object_removed(
    item: ImageItem, _rng: np.random.Generator, which: str, fill: str, margin: float
) -> Image.Image:
    """Remove one thing, all things, or all of a category, and fill where they were.

    ``largest`` goes by pixels, among things that are not crowds; of equals the first. ``all`` and a category take
    crowds too. Masks drawn by hand leave a rim of the object, which ``inpaint`` then draws inwards: a ``margin`` of
    about 0.01 takes it away; without one every pixel outside the masks stays, bit for bit.

    Raises
    ------
    Inapplicable
        There is no such thing, or nothing but.
    InputError
        There is a thing of a category ``all`` or ``largest``, and that word is asked for: it may mean either.
    """
    things = [segment for segment in item.segments if segment.is_thing and segment.mask.any()]
    if which in (LARGEST, ALL) and any(thing.category == which for thing in things):
        raise InputError(
            f"it has a thing of a category called {which!r}, which `which={which}` does not mean: "
            "give that category another name in its masks"
        )
    if which == LARGEST:
        chosen = sorted(
            (thing for thing in things if not thing.is_crowd),
            key=lambda thing: -np.count_nonzero(thing.mask),
        )[:1]
    else:
        chosen = [thing for thing in things if which in (ALL, thing.category)]
    removed = covered(item, chosen)
    if not chosen:
        none = {LARGEST: "it has no things (crowds aside)", ALL: "it has no things"}
        raise Inapplicable(none.get(which, f"it has no thing of category {which!r}"))
    return fill_in(item.image, widened(removed, margin), fill)


def silhouette(item: ImageItem, _rng: np.random.Generator) -> Image.Image:
    """Draw the things, crowds too, in black on white; things that touch make one shape.

    Raises
    ------
    Inapplicable
        There is no thing, or nothing else and so no shape.
    """
    things = [segment for segment in item.segments if segment.is_thing]
    shape = covered(item, things)
    if not shape.any():
        raise Inapplicable("it has no things")
    if shape.all():
        raise Inapplicable("things cover the whole image: there is no shape to see")
    return Image.fromarray((~shape).view(np.uint8) * np.uint8(255)).convert("RGB")


def covered(item: ImageItem, segments: Iterable[Segment]) -> NDArray[np.bool_]:
    """Return where an image is covered by any of some segments.

    Parameters
    ----------
    item : ImageItem
    segments : iterable of Segment
        Of the item, and so of its size: whoever decodes masks sees to that.

    Returns
    -------
    (height, width) array of bool
    """
    union = np.zeros((item.image.height, item.image.width), np.bool_)
    for segment in segments:
        union |= segment.mask
    return union


def widened(mask: NDArray[np.bool_], margin: float) -> NDArray[np.bool_]:
    """Return a mask grown by ``margin`` shorter sides, in whole pixels, straight and slantwise alike.

    Parameters
    ----------
    mask : (height, width) array of bool
    margin : float
    """
    pixels = round(margin * min(mask.shape))
    if not pixels:
        return mask
    grown = mask.astype(np.uint8)
    for axis in (0, 1):
        grown = ndimage.maximum_filter1d(grown, 2 * pixels + 1, axis, mode="nearest")
    return grown.view(np.bool_)


_MASKS: Final[frozenset[Need]] = frozenset({"masks"})

VARIANTS = (
    Variant(
        "things-only",
        "image",
        "semantic",
        "Things alone, the rest filled.",
        things_only,
        {"fill": FILL, "masks": _SEGMENTATION},
        _MASKS,
        libraries=libraries,
    ),
    Variant(
        "stuff-only",
        "image",
        "semantic",
        "Stuff alone, the rest filled.",
        stuff_only,
        {"fill": FILL, "margin": _MARGIN, "masks": _SEGMENTATION},
        _MASKS,
        libraries=libraries,
    ),
    Variant(
        "object-removed",
        "image",
        "semantic",
        "The largest thing, all, or a category taken out.",
        object_removed,
        {
            "which": Parameter(LARGEST, f"{LARGEST}, {ALL}, or a category"),
            "fill": FILL,
            "margin": _MARGIN,
            "masks": _SEGMENTATION,
        },
        _MASKS,
        libraries=libraries,
    ),
    Variant(
        "silhouette",
        "image",
        "semantic",
        "Things in black on white.",
        silhouette,
        {"masks": _SEGMENTATION},
        _MASKS,
    ),
)
"""The variants by masks."""
