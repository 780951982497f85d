"""Which images a variant by masks is expected of, and why others cannot have it: read off the store, nothing decoded.

What a variant asks for is in its settings: ``masks``, the segmentation that alone is used, and ``which``, where it
takes out the things of one category. So the plan of an ingest and the overview of a store count alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdb.database import Database

PANOPTIC = "panoptic"
INSTANCES = "instances"
"""The segmentations that COCO has; a store may hold others."""

LARGEST = "largest"
ALL = "all"
"""What ``which`` may be besides a category."""

_HINTS = {PANOPTIC: " (vdb add coco --panoptic)", INSTANCES: " (vdb add coco --instances)"}
_NO_MASKS = re.compile(r"no masks in the store for this image|no .* masks; it has .*", re.DOTALL)


class ByMasks(NamedTuple):
    """What a variant asks of the masks of an image.

    Attributes
    ----------
    segmentation : str
    category : str, optional
        Of things; only images with one are expected to have the variant.
    """

    segmentation: str
    category: str | None


def by_masks(settings: Mapping[str, object]) -> ByMasks | None:
    """Read off the settings of a variant what it asks of masks; None for one that needs none."""
    if "masks" not in settings:
        return None
    which = settings.get("which")
    named = which is not None and which not in {LARGEST, ALL}
    return ByMasks(str(settings["masks"]), str(which) if named else None)


def segmentations(db: Database) -> pl.DataFrame:
    """Return which segmentations each image has: ``item_id``, ``segmentation``, a row each, sorted."""
    rows = db.segments().select(pl.col("image_id").alias("item_id"), "segmentation")
    return rows.unique().sort("item_id", "segmentation").collect()


def things(db: Database) -> pl.DataFrame:
    """Return which things each image has: ``item_id``, ``segmentation``, ``category``, a row each."""
    rows = db.segments().filter(pl.col("is_thing"))
    columns = (pl.col("image_id").alias("item_id"), "segmentation", "category")
    return rows.select(columns).unique().collect()


def no_masks(segmentation: str, there: Sequence[str], instead: str = "") -> str:
    """Say why an image without masks of a segmentation cannot have a variant.

    Parameters
    ----------
    segmentation : str
        What is asked for.
    there : sequence of str
        The segmentations that the image has.
    instead : str
        The variant that takes the first of those.

    Examples
    --------
    >>> no_masks("panoptic", ["instances"], "silhouette:masks=instances")
    'no panoptic masks; it has instances: silhouette:masks=instances'
    >>> no_masks("panoptic", [])
    'no masks in the store for this image (vdb add coco --panoptic)'
    """
    if not there:
        return f"no masks in the store for this image{_HINTS.get(segmentation, '')}"
    return f"no {segmentation} masks; it has {', '.join(there)}{f': {instead}' if instead else ''}"


def is_no_masks(reason: str) -> bool:
    """Tell whether :func:`no_masks` gave a reason: the one that masks added later make void."""
    return _NO_MASKS.match(reason) is not None
