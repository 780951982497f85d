"""COCO: photos in a folder; captions, instance masks and panoptic masks in JSON files, each of them optional."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from PIL import Image

from ingest.datasets.base import (
    Batch,
    caption_frame,
    check_texts,
    frame,
    image_frame,
    one_each,
    pair_frame,
)
from ingest.datasets.coco.instances import instance_segments
from ingest.datasets.coco.masks import MaskFile
from ingest.datasets.coco.panoptic import panoptic_segments
from ingest.datasets.coco.sections import read_document, refuse_dangling
from ingest.datasets.files import Root, hash_files, locate_all
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.datasets.base import Where
    from vdb.progress import Progress

_ORIENTATION_TAG = 0x0112
_ON_ITS_SIDE = 5  # EXIF orientations from here on swap height and width
_THREADS = 8  # opening a file waits for the disk


def coco(
    images_dir: str | Path,
    captions_file: str | Path | None = None,
    *,
    instances_file: str | Path | None = None,
    panoptic_file: str | Path | None = None,
    panoptic_masks: str | Path | None = None,
    name: str | None = None,
    prefix: str = "",
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read COCO's files and the photos they name, as one batch.

    Ids are the files' own, as text: image ``397133``, caption ``370509``, segments ``instances:1727`` and
    ``panoptic:3226956``. The photos of the data set are those that the captions file lists, all of which must be there;
    without one, those that a file of masks lists and that are there, so that masks can be added later. Masks of other
    photos are left out and counted.

    Parameters
    ----------
    images_dir : path
        The folder that ``file_name`` is relative to.
    captions_file : path, optional
        Such as ``captions_val2017.json``.
    instances_file : path, optional
        Such as ``instances_val2017.json``: polygons and run lengths.
    panoptic_file, panoptic_masks : path, optional
        Such as ``panoptic_val2017.json``, and the folder of its PNGs.
    name : str, optional
        The dataset's name in the store; "coco" unless given.
    prefix : str
        Put before each image and caption id, to keep two datasets' numbers apart.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        A file or folder is not there.
    InputError
        Malformed JSON, a missing or mistyped field, an annotation of an image that is not listed,
        one id for two things, a photo that is missing or outside the folder, a mask that is malformed or does not fit
        its photo. The message names the line and the entry, and nothing is yielded.
    """
    root, dataset = Root(Path(images_dir)), name or "coco"
    if captions_file is None and instances_file is None and panoptic_file is None:
        raise InputError("neither captions nor instances nor a panoptic file: nothing to add")
    if (panoptic_file is None) != (panoptic_masks is None):
        raise InputError("a panoptic file and the folder of its PNGs go together")
    batch = Batch()
    if captions_file is not None:
        batch = _captions(root, Path(captions_file), dataset, prefix, progress)
    masks = _masks(instances_file, panoptic_file, panoptic_masks, prefix)
    if captions_file is None:
        batch = replace(batch, images=_photos_there(root, list(masks), dataset, progress))
    for file in masks:
        _check_sizes(file, batch.images)
    made = [segments(batch.images["image_id"]) for segments in masks.values()]
    rows = [frame("segments", {**rows.to_dict(), "dataset": dataset}) for rows, _ in made]
    yield replace(
        batch,
        segments=pl.concat([batch.segments, *rows]),
        notices=tuple(notice for _, notices in made for notice in notices),
    )


def _masks(
    instances_file: str | Path | None,
    panoptic_file: str | Path | None,
    panoptic_masks: str | Path | None,
    prefix: str,
) -> dict[MaskFile, Callable[[pl.Series], tuple[pl.DataFrame, list[str]]]]:
    """Read the files of masks, each with what makes rows of ``segments`` of it for the photos it is given."""
    masks: dict[MaskFile, Callable[[pl.Series], tuple[pl.DataFrame, list[str]]]] = {}
    if instances_file is not None:
        read = MaskFile.read(Path(instances_file), "COCO instances file", prefix, all_things=True)
        masks[read] = partial(instance_segments, read)
    if panoptic_file is not None and panoptic_masks is not None:
        folder = Root(Path(panoptic_masks))
        read = MaskFile.read(Path(panoptic_file), "COCO panoptic file", prefix, all_things=False)
        masks[read] = partial(panoptic_segments, read, folder)
    return masks


def _captions(root: Root, file: Path, name: str, prefix: str, progress: Progress | None) -> Batch:
    document = read_document(file, "COCO captions file")
    listed, annotated = document.section("images"), document.section("annotations")
    if not listed.entries:
        raise InputError(f"{file.name}: its images are none; is it whole?")
    captions = pl.DataFrame(
        {
            "caption_id": annotated.ids("id", prefix),
            "image_id": annotated.ids("image_id", prefix),
            "text": check_texts(
                annotated.texts("caption"), partial(annotated.where, field="caption")
            ),
            "source": annotated.sources(),
        }
    )
    images = pl.DataFrame(
        {
            "image_id": listed.ids("id", prefix),
            "file": listed.texts("file_name"),
            "source": listed.sources(),
        }
    )
    refuse_dangling(captions["image_id"], images["image_id"], annotated)
    captions = one_each(captions, "caption_id", ["text", "image_id"])
    paths = locate_all(root, images["file"].to_list(), partial(listed.where, field="file_name"))
    where = lambda i: f"{listed.where(i)} (image {images['image_id'][i]!r})"  # noqa: E731 - used once
    return Batch(
        images=_image_rows(images, paths, where, name, progress),
        captions=caption_frame(
            captions["caption_id"],
            text=captions["text"],
            dataset=name,
            source=captions["source"],
        ),
        pairs=pair_frame(
            captions["image_id"],
            captions["caption_id"],
            dataset=name,
            source=captions["source"],
        ),
    )


def _image_rows(
    images: pl.DataFrame, paths: list[str], where: Where, name: str, progress: Progress | None
) -> pl.DataFrame:
    images = images.with_columns(
        pl.Series("uri", paths, dtype=pl.String), hash_files(paths, where, progress).alias("sha256")
    )
    images = one_each(images, "image_id", ["sha256"])
    return image_frame(
        images["image_id"],
        uri=images["uri"],
        sha256=images["sha256"],
        dataset=name,
        source=images["source"],
    )


def _photos_there(
    root: Root, given: list[MaskFile], name: str, progress: Progress | None
) -> pl.DataFrame:
    """Make rows of the photos that files of masks list and that are on disk."""
    parts = [masks.images.select("image_id", "file", "source", "index") for masks in given]
    wheres = [partial(masks.where, index) for masks in given for index in masks.images["index"]]
    listed = pl.concat(parts)
    paths = locate_all(root, listed["file"].to_list(), lambda i: wheres[i]("file_name"))
    there = [index for index, path in enumerate(paths) if Path(path).is_file()]
    if not there:
        files = " and ".join(masks.file for masks in given)
        raise InputError(
            f"{files}: none of the {listed['image_id'].n_unique()} photos listed is in {root.path}"
        )
    paths = [paths[i] for i in there]
    return _image_rows(listed[there], paths, lambda i: wheres[there[i]](""), name, progress)


def _check_sizes(masks: MaskFile, images: pl.DataFrame) -> None:
    """Refuse a photo that is not of the size that its masks are made for."""
    annotated = masks.images.join(images, on="image_id", maintain_order="left", suffix="_stored")
    annotated = annotated.filter(pl.col("image_id").is_in(masks.owners.implode()))
    with ThreadPoolExecutor(_THREADS) as pool:
        sizes = pool.map(_upright_size, annotated["uri"])
        for row, size in zip(annotated.iter_rows(named=True), sizes, strict=True):
            # A place is looked for in the text again: only where there is something to say of it.
            if isinstance(size, str):
                raise InputError(f"{masks.where(row['index'], '')}: {row['uri']}: {size}")
            height, width = size
            if (height, width) != (row["height"], row["width"]):
                raise InputError(
                    f"{masks.where(row['index'], '')}: image {row['image_id']!r} is said to be {row['width']} x "
                    f"{row['height']}, but {row['uri']} has {width} x {height} pixels; the masks would not fit"
                )


def _upright_size(path: str) -> tuple[int, int] | str:
    """Return the height and width of an image as it is decoded, from its header alone; else what is wrong with it."""
    try:
        with Image.open(path) as opened:
            width, height = opened.size
            turned = opened.getexif().get(_ORIENTATION_TAG, 1) >= _ON_ITS_SIDE
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return getattr(error, "strerror", None) or "not an image that can be decoded"
    return (width, height) if turned else (height, width)
