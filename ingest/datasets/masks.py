"""Masks as COCO's compressed run-length encoding, from every form that its files give them in.

A mask is a run-length encoding of its pixels column by column: so many outside, so many inside, ... Everything is
checked before pycocotools sees it, as its C code reads past what is malformed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST = 6  # numbers: three points
_MOST_DIGITS = 7  # of 5 bits: more than any pixel count needs


def from_polygons(polygons: Sequence[Any], height: int, width: int) -> tuple[str, int]:
    """Encode the union of polygons.

    Parameters
    ----------
    polygons : sequence of sequence of float
        Each ``x, y, x, y, ...`` in pixels. What lies outside the image is cut off.
    height, width : int
        Of the image.

    Returns
    -------
    str, int
        The encoding, empty where no pixel is covered; and how many polygons have fewer than three points, which cover
        nothing.

    Raises
    ------
    InputError
        A polygon is no array of coordinates, or lies absurdly far from the image.
    """
    for index, polygon in enumerate(polygons):
        problem = _problem(polygon, height, width)
        if problem:
            raise InputError(f"[{index}] {problem}")
    drawn = [polygon for polygon in polygons if len(polygon) >= _LEAST]
    if not drawn:
        return "", len(polygons)
    encoded = coco_mask.merge(coco_mask.frPyObjects(drawn, height, width))
    return _text(encoded), len(polygons) - len(drawn)


def _problem(polygon: object, height: int, width: int) -> str:
    if not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}:
        return "must be an array of numbers: x, y, x, y, ..."
    if len(polygon) % 2:
        return f"has {len(polygon)} numbers; each point is an x and a y"
    for side, of_side in ((width, polygon[::2]), (height, polygon[1::2])):
        for value in of_side:
            # pycocotools walks along each edge in fifths of a pixel: far away is long, infinitely far for ever.
            if not -side <= value <= 2 * side:  # so that NaN is refused too
                return (
                    f"goes to {str(value)[:20]}, further from the image ({width} x {height}) than that is large; "
                    "are these pixels, and of this image?"
                )
    return ""


def from_counts(counts: object, height: int, width: int) -> str:
    """Encode a mask that is given as run lengths.

    Parameters
    ----------
    counts : list of int, or str
        Run lengths, or COCO's compressed form of them.
    height, width : int
        Of the image.

    Returns
    -------
    str
        The encoding, empty where no pixel is covered.

    Raises
    ------
    InputError
        They are no run lengths, or do not add up to the pixels of the image.
    """
    runs = _decompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not set(map(type, runs)) <= {int}:
        raise InputError(".counts must be an array of whole numbers, or a compressed text")
    if any(run < 0 for run in runs):
        raise InputError(f".counts has a run of {min(runs)} pixels")
    if sum(runs) != height * width:
        raise InputError(
            f".counts adds up to {sum(runs)} pixels; the image has {width} x {height} = {height * width}"
        )
    return _encoded(np.asarray(runs, dtype=np.uint32), height, width)


def _decompressed(text: str) -> list[int]:
    """Undo COCO's compression: 5 bits a character, each run less the one before the last (maskApi.c, rleFrString)."""
    runs: list[int] = []
    value = digits = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or digits == _MOST_DIGITS:  # noqa: PLR2004 - six bits a character
            raise InputError(".counts is no run-length encoding of COCO's")
        value |= (bits & 31) << (5 * digits)
        digits += 1
        if not bits & 32:  # the last digit, whose highest bit is the sign
            value -= (bits & 16) << (5 * digits - 4)
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))  # noqa: PLR2004 - as the format has it
            value = digits = 0
    if digits:
        raise InputError(".counts is cut short")
    return runs


def from_ids(ids: NDArray[np.uint32]) -> dict[int, str]:
    """Encode every segment of a picture of segment ids, in one pass over it.

    Parameters
    ----------
    ids : array, (height, width)
        The segment that each pixel belongs to; 0 for none.

    Returns
    -------
    dict of int to str
        The encoding of each segment, by its id.
    """
    height, width = ids.shape
    flat = ids.T.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    ends = np.append(starts[1:], flat.size)
    order = np.argsort(flat[starts], kind="stable")
    segments, firsts = np.unique(flat[starts][order], return_index=True)
    encoded = {}
    for segment, runs in zip(segments.tolist(), np.split(order, firsts[1:]), strict=True):
        if segment:
            bounds = np.stack([starts[runs], ends[runs]], axis=1).ravel()
            counts = np.diff(bounds, prepend=0, append=flat.size)
            encoded[segment] = _encoded(counts.astype(np.uint32), height, width)
    return encoded


def _encoded(counts: NDArray[np.uint32], height: int, width: int) -> str:
    if (
        counts.size > 1 and counts[-1] == 0
    ):  # as pycocotools encodes pixels: no empty run at the end
        counts = counts[:-1]
    run_lengths = {"size": [height, width], "counts": counts}
    return _text(coco_mask.frPyObjects(run_lengths, height, width))


def _text(encoded: dict[str, Any]) -> str:
    return encoded["counts"].decode("ascii") if coco_mask.area(encoded) else ""
