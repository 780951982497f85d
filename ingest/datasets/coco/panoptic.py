"""COCO's panoptic segmentations: each pixel of a photo belongs to one segment at most, in a picture of their ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ingest.datasets.coco.masks import Gathered, left_out
from ingest.datasets.masks import from_ids
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl
    from numpy.typing import NDArray

    from ingest.datasets.coco.masks import MaskFile
    from ingest.datasets.files import Root

_THREADS = 8  # Pillow and numpy let go of the interpreter


def panoptic_segments(
    masks: MaskFile, folder: Root, image_ids: pl.Series
) -> tuple[pl.DataFrame, list[str]]:
    """Encode the segments of some images, each from its picture of segment ids.

    What is taken and returned is as in :func:`ingest.datasets.coco.instances.instance_segments`, but for ``folder``:
    where the pictures lie.

    Raises
    ------
    InputError
        A picture is missing or malformed, not of its image's size, or has pixels of a segment that is not listed.
    """
    annotations, sizes = masks.annotations, masks.sizes()
    listed = annotations.within("segments_info")
    ids = listed.values("id", (int,))
    gathered = Gathered(masks, listed, "panoptic")
    of_each: list[list[int]] = [[] for _ in annotations.entries]
    for index, (outer, _) in enumerate(listed.places or ()):
        of_each[outer].append(index)
    kept = masks.of(image_ids)
    notices = left_out(masks, "panoptic masks", kept, [len(entries) for entries in of_each])
    files = annotations.texts("file_name")

    def encode(index: int) -> dict[int, str]:
        try:
            picture = _segment_ids(folder.locate(files[index]), sizes[masks.owners[index]])
            encoded = from_ids(picture)
            _refuse_unlisted(encoded, {ids[entry] for entry in of_each[index]}, files[index])
        except InputError as error:
            raise InputError(f"{annotations.where(index, 'file_name')}: {error}") from None
        return encoded

    with ThreadPoolExecutor(_THREADS) as pool:
        for index, encoded in zip(kept, pool.map(encode, kept), strict=True):
            image_id = masks.owners[index]
            for entry in of_each[index]:
                gathered.take(entry, image_id, sizes[image_id], encoded.get(ids[entry], ""))
    return gathered.frame(), [*notices, *gathered.notices()]


def _segment_ids(path: str, size: tuple[int, int]) -> NDArray[np.uint32]:
    """Read a panoptic PNG: id = R + 256 G + 65536 B."""
    height, width = size
    if Path(path).exists() and not Path(path).is_file():
        raise InputError(f"{path}: not a regular file")  # a pipe would never end
    try:
        with Image.open(path) as picture:
            if picture.mode != "RGB" or picture.format != "PNG":
                raise InputError(
                    f"{path} is {picture.format} {picture.mode}; it must be a PNG of RGB"
                )
            if picture.size != (width, height):
                found = " x ".join(map(str, picture.size))
                raise InputError(f"{path} has {found} pixels, but its image {width} x {height}")
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"{path} cannot be read: {reason}") from error
    ids: NDArray[np.uint32] = pixels[..., 0].astype(np.uint32)
    for byte in (1, 2):  # in place: several large pictures are read at once
        ids |= pixels[..., byte].astype(np.uint32) << np.uint32(8 * byte)
    return ids


def _refuse_unlisted(encoded: Iterable[int], listed: set[int], file: str) -> None:
    unlisted = sorted(set(encoded) - listed)
    if unlisted:
        more = f" (nor are {len(unlisted) - 1} others)" if len(unlisted) > 1 else ""
        raise InputError(
            f"{file} has pixels of segment {unlisted[0]}, which is not in segments_info{more}; "
            "do the pictures belong to this file?"
        )
