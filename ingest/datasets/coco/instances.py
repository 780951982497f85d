"""COCO's instances: the things of a photo one by one, as polygons and run lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.datasets.coco.masks import Gathered, left_out
from ingest.datasets.masks import from_counts, from_polygons
from vdb.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from ingest.datasets.coco.masks import MaskFile


def instance_segments(masks: MaskFile, image_ids: pl.Series) -> tuple[pl.DataFrame, list[str]]:
    """Encode the masks of some images.

    Parameters
    ----------
    masks : MaskFile
        Of instances.
    image_ids : pl.Series
        The images of the data set.

    Returns
    -------
    DataFrame, list of str
        Rows of ``segments`` but for ``dataset``, and notices.

    Raises
    ------
    InputError
        A mask is malformed or does not fit its image; file, line and entry are named.
    """
    section, sizes = masks.annotations, masks.sizes()
    kept = masks.of(image_ids)
    notices = left_out(masks, "instance masks", kept, [1] * len(section.entries))
    gathered = Gathered(masks, section, "instances")
    shapes = section.values("segmentation", (list, dict))
    slivers: list[int] = []
    for index in kept:
        image_id = masks.owners[index]
        try:
            counts, few = _encode(shapes[index], *sizes[image_id])
        except InputError as error:
            raise InputError(f"{section.where(index, 'segmentation')}{error}") from None
        gathered.take(index, image_id, sizes[image_id], counts)
        if few and counts:
            slivers.append(index)
    notices += gathered.notices()
    if slivers:
        notices.append(
            f"{len(slivers)} masks have polygons of fewer than 3 points, which cover nothing, "
            f"the first: {section.where(slivers[0])}"
        )
    return gathered.frame(), notices


def _encode(shape: Any, height: int, width: int) -> tuple[str, int]:  # noqa: ANN401 - JSON
    if isinstance(shape, list):
        return from_polygons(shape, height, width)
    if shape.get("size") != [height, width]:
        raise InputError(
            f".size is {shape.get('size')}; the image has height and width [{height}, {width}]"
        )
    if "counts" not in shape:
        raise InputError(".counts is missing")
    return from_counts(shape["counts"], height, width), 0
