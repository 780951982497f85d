"""A manifest: one row an image, a caption or a pair of them, in CSV, JSON Lines or Parquet."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import (
    Batch,
    caption_frame,
    concept_frame,
    image_frame,
    one_each,
    pair_frame,
)
from ingest.datasets.files import root_of
from ingest.datasets.manifest.files import read_rows
from ingest.datasets.manifest.rows import (
    checked,
    said,
    with_caption_ids,
    with_content,
    with_image_ids,
)
from ingest.datasets.manifest.variants import ready_made
from vdb.errors import InputError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.datasets.manifest.files import Rows
    from vdb.progress import Progress


def manifest(
    file: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
    prefix: str = "",
    root: str | Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read a manifest and the images it names, as one batch.

    A row that has an image and a caption pairs them; an image may stand on many rows, and so may a
    caption that has an id. A caption with an ``image_id`` and no path is paired with the image of
    another row, or with one that the store already holds; an ``image_id`` and a ``caption_id`` with
    neither path nor text pair two that stand elsewhere. Without an ``image_id`` an image's id is
    its path as written; without a ``caption_id`` a caption's id is a hash of its image's id and its
    text, the same in whatever order the rows come.

    A row with a ``variant`` (other than ``original``) is somebody's altered version of an item: an
    ``image_id`` and the ``image_path`` of the altered file, or a ``caption_id`` and the altered
    ``caption``. A ``variant_kind``, appearance or semantic, may stand beside it.

    CSV has no null: there an empty cell of ``image_path`` or ``caption`` says that the row has no
    such item, where its id is empty too, or that the item stands elsewhere, where its id is given.

    Parameters
    ----------
    file : path
        ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet``; text is UTF-8.
    mapping : mapping of field to column, optional
        Which column holds ``image_path``, ``image_id``, ``caption``, ``caption_id``, ``concept_id``,
        ``variant`` or ``variant_kind``, where it is not called so.
    name : str, optional
        The dataset's name in the store; the file's, without its suffix, unless given.
    prefix : str
        Put before each image and caption id. Concepts and variants keep their names.
    root : path or URI, optional
        The folder that paths are relative to and that no path may leave; the manifest's own unless
        given. Absolute paths are taken when they lie in it, so ``/`` admits any. A place in an
        object store, ``s3://bucket/photos``, will do too.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        There is no such file, field or column.
    InputError
        A malformed row, an unfit id, an empty caption, a missing file, one id for two things, a
        variant's name that is taken. The message names file and line, and nothing is yielded.
    """
    file = Path(file)
    read = read_rows(file, mapping or {})
    rows = checked(said(read), prefix)
    folder = root_of(root if root is not None else file.absolute().parent)
    dataset = name or file.stem

    rows = with_caption_ids(with_image_ids(rows, prefix), prefix)
    content = with_content(rows, folder, progress)
    ordinary, is_altered = pl.col("variant").is_null(), pl.col("variant").is_not_null()
    altered, rows = rows.filter(is_altered), rows.filter(ordinary)
    with _originals(read):
        captions = one_each(
            rows.filter(pl.col("caption").is_not_null()), "caption_id", ["caption", "concept_id"]
        )
        images = one_each(content.filter(ordinary), "image_id", ["sha256", "concept_id"])
    pairs = rows.filter(pl.col("image_id").is_not_null() & pl.col("caption_id").is_not_null())
    pairs = pairs.unique(["image_id", "caption_id"], keep="first", maintain_order=True)
    is_item = pl.col("image_path").is_not_null() | pl.col("caption").is_not_null()
    named = rows.filter(is_item & pl.col("concept_id").is_not_null())
    named = named.unique("concept_id", keep="first", maintain_order=True)
    made = ready_made(altered, content.filter(is_altered), dataset)
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
        notices=_notices(read.unused, rows.filter(~is_item), altered),
        variants=made.variants,
        image_variants=made.image_variants,
        caption_variants=made.caption_variants,
    )


@contextmanager
def _originals(read: Rows) -> Iterator[None]:
    """Tell of rows that contradict each other when one of them may have been meant for a variant."""
    try:
        yield
    except InputError as error:
        sources = read.frame.filter(pl.col("variant") == ORIGINAL)["source"]
        if any(f" {source} " in str(error) for source in sources):
            raise InputError(
                f"{error} ({ORIGINAL!r} in the column variant makes a row an ordinary one, not an altered version)"
            ) from None
        raise


def _notices(unused: list[str], pairs: pl.DataFrame, altered: pl.DataFrame) -> tuple[str, ...]:
    idle = sum(rows["concept_id"].count() for rows in (pairs, altered))
    return (
        *((f"columns that were not used: {', '.join(unused)}",) if unused else ()),
        *(
            (
                f"concept_id was not used on {idle} rows: pairs and variants have the concepts of their items",
            )
            if idle
            else ()
        ),
    )
