"""A manifest: one row an image, a caption or a pair of them, in CSV, JSON Lines or Parquet."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import (
    Batch,
    caption_frame,
    check_texts,
    concept_frame,
    image_frame,
    one_each,
    pair_frame,
    prefixed,
)
from ingest.datasets.files import Root, hash_files, locate_all
from ingest.datasets.manifest_files import read_rows
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def manifest(
    file: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
    prefix: str = "",
    root: str | Path | None = None,
) -> Iterator[Batch]:
    """Read a manifest and the images it names, as one batch.

    A row that has an image and a caption pairs them; an image may stand on many rows, and so may a
    caption that has an id. A caption with an ``image_id`` and no path is paired with the image of
    another row, or with one that the store already holds. Without an ``image_id`` an image's id is
    its path as written; without a ``caption_id`` a caption's id is a hash of its image's id and its
    text, the same in whatever order the rows come.

    Parameters
    ----------
    file : path
        ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet``; text is UTF-8.
    mapping : mapping of field to column, optional
        Which column holds ``image_path``, ``image_id``, ``caption``, ``caption_id`` or
        ``concept_id``, where it is not called so.
    name : str, optional
        The dataset's name in the store; the file's, without its suffix, unless given.
    prefix : str
        Put before each image and caption id. Concepts keep their names.
    root : path, optional
        The folder that paths are relative to and that no path may leave; the manifest's own unless
        given. Absolute paths are taken when they lie in it, so ``/`` admits any.

    Raises
    ------
    NotFoundError
        There is no such file, field or column.
    InputError
        A malformed row, an unfit id, an empty caption, a missing file, one id for two things. The
        message names file and line, and nothing is yielded.
    """
    file = Path(file)
    read = read_rows(file, mapping or {})
    rows = _checked(read.frame, prefix)
    folder = Root(Path(root) if root is not None else file.absolute().parent)
    dataset = name or file.stem

    rows = _with_image_ids(rows, prefix)
    rows = _with_caption_ids(rows, prefix)
    captions = one_each(
        rows.filter(pl.col("caption").is_not_null()), "caption_id", ["caption", "concept_id"]
    )
    images = one_each(_with_content(rows, folder), "image_id", ["sha256", "concept_id"])
    pairs = rows.filter(pl.col("image_id").is_not_null() & pl.col("caption_id").is_not_null())
    pairs = pairs.unique(["image_id", "caption_id"], keep="first", maintain_order=True)
    named = rows.filter(pl.col("concept_id").is_not_null())
    named = named.unique("concept_id", keep="first", maintain_order=True)
    yield Batch(
        concepts=concept_frame(
            named["concept_id"], name=named["concept_id"], dataset=dataset, source=named["source"]
        ),
        images=image_frame(
            images["image_id"],
            concept_id=images["concept_id"],
            uri=images["uri"],
            sha256=images["sha256"],
            dataset=dataset,
            source=images["source"],
        ),
        captions=caption_frame(
            captions["caption_id"],
            concept_id=captions["concept_id"],
            text=captions["caption"],
            dataset=dataset,
            source=captions["source"],
        ),
        pairs=pair_frame(
            pairs["image_id"], pairs["caption_id"], dataset=dataset, source=pairs["source"]
        ),
        notices=(f"columns that were not used: {', '.join(read.unused)}",) if read.unused else (),
    )


def _checked(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Check each row by itself, and put the prefix before the ids that are given."""
    where = rows["source"].__getitem__
    path, caption, caption_id = pl.col("image_path"), pl.col("caption"), pl.col("caption_id")
    for bad, complaint in (
        (path == "", "the image_path is empty; leave the row out"),
        (path.is_null() & caption.is_null(), "neither an image_path nor a caption"),
        (caption.is_null() & caption_id.is_not_null(), "a caption_id but no caption"),
    ):
        places = rows.select(bad.fill_null(value=False)).to_series().arg_true()
        if len(places):
            raise InputError(f"{where(places[0])}: {complaint} ({len(places)} such rows)")
    check_texts(rows["caption"], where)
    return rows.with_columns(
        prefixed(rows["image_id"], prefix, where),
        prefixed(rows["caption_id"], prefix, where),
        prefixed(rows["concept_id"], "", where),
    )


def _with_image_ids(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
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


def _with_caption_ids(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
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


def _with_content(rows: pl.DataFrame, folder: Root) -> pl.DataFrame:
    """Return the rows that have an image, with where it is and what it holds."""
    rows = rows.filter(pl.col("image_path").is_not_null())
    files = rows.unique("image_path", keep="first", maintain_order=True)
    where = files["source"].__getitem__
    paths = locate_all(folder, files["image_path"].to_list(), where)
    content = files.select(
        "image_path",
        pl.Series("uri", paths, dtype=pl.String),
        hash_files(paths, where).alias("sha256"),
    )
    return rows.join(content, on="image_path", how="left", maintain_order="left")
