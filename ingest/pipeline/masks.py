"""The masks of an image, as the store has them and as a variant sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from ingest.variants.base import Segment
from vdb.errors import InputError
from vdb.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdb.database import Database

_COLUMNS = (
    "segmentation",
    "segment_id",
    "category",
    "is_thing",
    "is_crowd",
    "height",
    "width",
    "counts",
)


class Masks:
    """Finds the masks of an image; safe in threads.

    Parameters
    ----------
    db : Database
    """

    def __init__(self, db: Database) -> None:
        self._lookup = Lookup(db.table("segments"), "image_id")

    def rows(self, image_id: str) -> list[dict[str, Any]]:
        """Return the masks of an image, of every segmentation, undecoded, by id; an image without gives []."""
        rows = self._lookup.rows(image_id, _COLUMNS).to_pylist()
        return sorted(rows, key=lambda row: str(row["segment_id"]))


def segments_of(rows: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> tuple[Segment, ...]:
    """Decode masks for an image.

    Parameters
    ----------
    rows : sequence of mapping
        As :meth:`Masks.rows` returns them, those of one segmentation.
    size : (int, int)
        Width and height of the decoded image, which is upright.

    Raises
    ------
    InputError
        A mask has another size than the image.

    Notes
    -----
    Masks are never turned or stretched to fit. COCO's are in the pixels of the decoded file, and its photos carry no
    EXIF orientation (none of the 300 that the real tests use does), so upright pixels are the same; of masks that were
    drawn on a photo before its EXIF tag turned it nothing says so but their size, and a half turn not even that.
    """
    return tuple(_segment(row, size) for row in rows)


def _segment(row: Mapping[str, Any], size: tuple[int, int]) -> Segment:
    height, width = row["height"], row["width"]
    if (width, height) != size:
        turned = " (turned by its EXIF tag?)" if (height, width) == size else ""
        raise InputError(
            f"its mask {row['segment_id']!r} has {width} x {height} pixels, the upright image "
            f"{size[0]} x {size[1]}{turned}: masks must be in the pixels of the upright image"
        )
    encoded = {"size": [height, width], "counts": row["counts"].encode()}
    mask = coco_mask.decode(encoded).astype(np.bool_, order="C")
    mask.flags.writeable = False  # shared by all variants of the image
    return Segment(row["category"], row["is_thing"], row["is_crowd"], mask)
