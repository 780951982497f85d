"""Captions for folders of concepts: of an image of theirs, or of a concept as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import caption_frame, check_texts, one_each, pair_frame, prefixed
from ingest.datasets.files import locate_all
from ingest.datasets.manifest.files import Layout, read_rows
from ingest.datasets.manifest.rows import refuse, with_caption_ids
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ingest.datasets.files import Folder

CAPTIONS = Layout(
    "captions file",
    ("image_path", "concept_id", "caption", "caption_id"),
    needed=(("image_path", "caption"), ("concept_id", "caption")),
    ids=frozenset({"concept_id", "caption_id"}),
    optional=frozenset({"image_path", "concept_id", "caption_id"}),
)
"""A row is a caption, and the image or the concept that it is of."""


def captions_of(
    file: Path,
    mapping: Mapping[str, str],
    images: pl.DataFrame,
    root: Folder,
    prefix: str,
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[str, ...]]:
    """Read the captions of images and concepts.

    Parameters
    ----------
    file : Path
    mapping : mapping of field to column
    images : pl.DataFrame
        The data set's rows of ``images``.
    root : Folder
        Where the paths of images start.
    prefix : str
        Put before each caption id.

    Returns
    -------
    captions, pairs : pl.DataFrame
        A caption of an image is paired with it and has its concept; one of a concept is paired with none.
    notices : tuple of str

    Raises
    ------
    NotFoundError
        There is no such file, field or column.
    InputError
        A row is malformed, or names an image or a concept that is not there: file and line are in the message.
    """
    read = read_rows(file, mapping, CAPTIONS)
    rows = read.frame
    where = rows["source"].__getitem__
    refuse(rows, pl.col("caption").is_null(), "no caption")
    refuse(
        rows,
        pl.col("image_path").is_null() & pl.col("concept_id").is_null(),
        "neither an image_path nor a concept_id: what is the caption of?",
    )
    check_texts(rows["caption"], where)
    rows = rows.with_columns(prefixed(rows["caption_id"], prefix, where))
    rows = _with_images(rows, images, root)
    # An image's id has a slash and a folder's name has none, so no two things have captions of one id.
    keyed = rows.with_columns(pl.coalesce("image_id", "concept_id").alias("image_id"))
    rows = rows.with_columns(with_caption_ids(keyed, prefix)["caption_id"])
    dataset = images["dataset"][0]
    each = one_each(rows, "caption_id", ["caption", "concept_id"])
    paired = rows.filter(pl.col("image_id").is_not_null())
    paired = paired.unique(["image_id", "caption_id"], keep="first", maintain_order=True)
    return (
        caption_frame(
            each["caption_id"],
            text=each["caption"],
            concept_id=each["concept_id"],
            dataset=dataset,
            source=each["source"],
        ),
        pair_frame(
            paired["image_id"], paired["caption_id"], dataset=dataset, source=paired["source"]
        ),
        (f"columns of {file.name} that were not used: {', '.join(read.unused)}",)
        if read.unused
        else (),
    )


def _with_images(rows: pl.DataFrame, images: pl.DataFrame, root: Folder) -> pl.DataFrame:
    """Return the rows with the id of their image, and with the concept of it."""
    named = rows.filter(pl.col("image_path").is_not_null())
    paths = locate_all(root, named["image_path"].to_list(), named["source"].__getitem__)
    uris = pl.DataFrame({"source": named["source"], "uri": pl.Series(paths, dtype=pl.String)})
    known = images.select("uri", "image_id", pl.col("concept_id").alias("folder"))
    rows = rows.join(uris, on="source", how="left", maintain_order="left")
    rows = rows.join(known, on="uri", how="left", maintain_order="left")
    gone = pl.col("uri").is_not_null() & pl.col("image_id").is_null()
    for row in rows.filter(gone).head(1).iter_rows(named=True):
        raise InputError(f"{row['source']}: {row['image_path']!r} is no image of the data set")
    for row in rows.filter(pl.col("concept_id") != pl.col("folder")).head(1).iter_rows(named=True):
        raise InputError(
            f"{row['source']}: {row['image_path']!r} is of {row['folder']!r}, not of {row['concept_id']!r}"
        )
    rows = rows.with_columns(pl.coalesce("folder", "concept_id").alias("concept_id"))
    unknown = rows.join(images, on="concept_id", how="anti", maintain_order="left")
    for row in unknown.head(1).iter_rows(named=True):
        raise InputError(f"{row['source']}: there is no folder of images {row['concept_id']!r}")
    return rows
