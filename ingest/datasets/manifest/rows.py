"""The rows of a manifest: what each says, whether it may, the ids it leaves open, and the content of its image."""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import check_texts, prefixed
from ingest.datasets.files import hash_files, locate_all
from vdb.errors import InputError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from ingest.datasets.files import Folder
    from ingest.datasets.manifest.files import Rows
    from vdb.progress import Progress


def said(read: Rows) -> pl.DataFrame:
    """Make null of everything that a row leaves unsaid: ``variant`` of an original, and empty cells of CSV.

    CSV has no null. An empty cell beside the empty cell of its id (``caption`` and ``caption_id``) says that the row
    has no such item; an empty ``image_path`` or ``caption`` beside an id says that the item stands elsewhere. An empty
    cell with neither is a mistake and stays.
    """
    rows = read.frame.with_columns(
        pl.when(pl.col("variant").is_in([ORIGINAL, ""]).not_()).then("variant").alias("variant")
    )
    if read.has_null:
        return rows
    for content, identity in (("image_path", "image_id"), ("caption", "caption_id")):
        if rows[identity].null_count() == rows.height:  # there is no such column
            continue
        empty = (pl.col(content) == "").fill_null(value=True)  # no such column, too
        rows = rows.with_columns(
            pl.when(pl.col(content) != "").then(content).alias(content),
            pl.when(~(empty & (pl.col(identity) == ""))).then(identity).alias(identity),
        )
    return rows


def checked(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Check each row by itself, and put the prefix before the ids that are given.

    Raises
    ------
    InputError
        Naming the first row at fault, and how many have that fault.
    """
    path, caption = pl.col("image_path"), pl.col("caption")
    image_id, caption_id = pl.col("image_id"), pl.col("caption_id")
    altered = pl.col("variant").is_not_null()
    pair = image_id.is_not_null() & caption_id.is_not_null() & path.is_null() & caption.is_null()
    image = image_id.is_not_null() & path.is_not_null()
    text = caption_id.is_not_null() & caption.is_not_null()
    refuse(rows, path == "", "the image_path is empty; leave the row out")
    refuse(
        rows,
        ~altered & path.is_null() & caption.is_null() & ~pair,
        "neither an image_path nor a caption, nor the image_id and caption_id of a pair",
    )
    refuse(
        rows,
        ~altered & ~pair & caption.is_null() & caption_id.is_not_null(),
        "a caption_id but no caption",
    )
    others = pl.sum_horizontal(c.is_not_null() for c in (path, image_id, caption, caption_id))
    refuse(
        rows,
        altered & ~((image | text) & (others == 2)),  # noqa: PLR2004 - what it is and of which item
        "a variant stands in a row of its own: image_id and image_path, or caption_id and caption",
    )
    refuse(rows, ~altered & pl.col("variant_kind").is_not_null(), "a variant_kind but no variant")
    where = rows["source"].__getitem__
    check_texts(rows["caption"], where)
    return rows.with_columns(
        prefixed(rows["image_id"], prefix, where),
        prefixed(rows["caption_id"], prefix, where),
        prefixed(rows["concept_id"], "", where),
    )


def refuse(rows: pl.DataFrame, bad: pl.Expr, complaint: str) -> None:
    """Raise an InputError where a row is ``bad``."""
    places = rows.select(bad.fill_null(value=False)).to_series().arg_true()
    if len(places):
        count = f" ({len(places)} such rows)" if len(places) > 1 else ""
        raise InputError(f"{rows['source'][places[0]]}: {complaint}{count}")


def with_image_ids(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Give each image without an id its path as written for one."""
    derived = rows.filter(pl.col("image_path").is_not_null() & pl.col("image_id").is_null())
    derived = derived.unique("image_path", keep="first", maintain_order=True)
    if not derived.height:
        return rows
    paths = derived["image_path"].to_list()
    ids = pl.Series([str(PurePosixPath(path)) for path in paths], dtype=pl.String)
    ids = prefixed(ids, prefix, derived["source"].__getitem__)
    derived = derived.select("image_path", ids.alias("derived"))
    return rows.join(derived, on="image_path", how="left", maintain_order="left").with_columns(
        pl.coalesce("image_id", "derived").alias("image_id")
    )


def with_caption_ids(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Give each caption without an id a hash of its image's id and its text."""
    wanted = (rows["caption"].is_not_null() & rows["caption_id"].is_null()).arg_true()
    if not len(wanted):
        return rows
    texts, images = rows["caption"].gather(wanted), rows["image_id"].gather(wanted)
    ids = [
        f"{prefix}caption-{_hash_of(image, text)}"
        for image, text in zip(images.fill_null(""), texts, strict=True)
    ]
    column = rows["caption_id"].scatter(wanted, ids)
    return rows.with_columns(column.alias("caption_id"))


def _hash_of(image_id: str, text: str) -> str:
    # NUL cannot stand in an id, so no two (image, text) make one string.
    return sha256(f"{image_id}\0{text}".encode()).hexdigest()[:16]


def with_content(
    rows: pl.DataFrame, folder: Folder, progress: Progress | None = None
) -> pl.DataFrame:
    """Return the rows that have an image, with where it is and what it holds."""
    rows = rows.filter(pl.col("image_path").is_not_null())
    files = rows.unique("image_path", keep="first", maintain_order=True)
    where = files["source"].__getitem__
    paths = locate_all(folder, files["image_path"].to_list(), where)
    content = files.select(
        "image_path",
        pl.Series("uri", paths, dtype=pl.String),
        hash_files(paths, where, progress).alias("sha256"),
    )
    return rows.join(content, on="image_path", how="left", maintain_order="left")
