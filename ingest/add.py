"""Adding a data set to a store: what an adapter yields, checked and written batch by batch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

import vdb
from ingest.sources import read_bytes
from vdb.blobs import EMBEDDED, kept
from vdb.errors import InputError, NoStoreError, VdbError
from vdb.items import Added, check, write
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ingest.datasets.base import Batch
    from vdb.database import Database
    from vdb.items import Checked
    from vdb.progress import Progress, Task


def add_dataset(
    uri: str,
    batches: Iterator[Batch],
    notice: Callable[[str], None],
    *,
    embed: bool = False,
    progress: Progress | None = None,
) -> tuple[Database, Added]:
    """Add everything that an adapter yields, making the store when there is none.

    Parameters
    ----------
    uri : str
        Of the store.
    batches : iterator of Batch
        From an adapter of :mod:`ingest.datasets`.
    notice : callable
        Told what the user should know although nothing is wrong.
    embed : bool
        Keep the encoded bytes of each image in the store, which can then be moved or published by itself.
    progress : Progress, optional
        Who hears how many rows are stored; with ``embed``, how many images.

    Returns
    -------
    Database, Added

    Raises
    ------
    InputError, NotFoundError
        From the adapter or the checks; of the batch at fault nothing is written, and a mistake in the first one
        leaves no empty store behind. In the midst of a stream the message says what is stored by then.
    """
    report = Added()
    try:
        with _text_in_utf8():
            title = "images embedded" if embed else "rows stored"
            with (progress or Silent()).task(title, None) as task:
                return _add_all(uri, batches, notice, report, task, embed=embed), report
    except VdbError as error:
        stored = _stored(report)
        if not stored:
            raise
        raise type(error)(
            f"{error} [stored before that: {stored}; once it is mended, the same command goes on]"
        ) from error


@contextmanager
def _text_in_utf8() -> Iterator[None]:
    """Say in a line what name no table can hold: of a file or folder, or given on the command line."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError(
            f"{error.object[:200]!r} is not UTF-8; rename it, or give another --name or --prefix"
        ) from error


def _stored(report: Added) -> str:
    new = [f"{rows:,} {table}" for table, rows in report.added.items() if rows]
    return ", ".join(new) or ("what was there already" if any(report.unchanged.values()) else "")


def _add_all(
    uri: str,
    batches: Iterator[Batch],
    notice: Callable[[str], None],
    report: Added,
    task: Task,
    *,
    embed: bool,
) -> Database:
    """Add each batch, and keep count in ``report``."""
    db: Database | None = None
    for batch in batches:
        for message in batch.notices:
            notice(message)
        tables = (_embedded(batch) if embed else batch).tables()
        db, ready = (db, check(db, tables)) if db else _opened(uri, tables)
        contents: Iterable[tuple[str, bytes]] = batch.contents.items()
        if embed:
            contents = chain(contents, _read(db, batch))
            contents = _told(contents, task)
        report += write(db, ready, contents)
        rows = sum(rows.height for rows in batch.tables().values())
        if rows and not embed:
            task.advance(rows)
    return db or vdb.open(uri, create=True)


def _told(contents: Iterable[tuple[str, bytes]], task: Task) -> Iterator[tuple[str, bytes]]:
    for content in contents:
        yield content
        task.advance(1)


def _opened(uri: str, first: Mapping[str, pl.DataFrame]) -> tuple[Database, Checked]:
    """Open the store and check the first rows; where there is none, make it once they are known to be good."""
    try:
        db = vdb.open(uri)
    except NoStoreError:
        with TemporaryDirectory() as nowhere:
            ready = check(vdb.open(nowhere, create=True), first)
        return vdb.open(uri, create=True), ready
    return db, check(db, first)


def _read(db: Database, batch: Batch) -> Iterator[tuple[str, bytes]]:
    """Yield the SHA-256 and the bytes of each image that the store does not hold; each content once.

    What the store holds is asked only once the first content is wanted: the rows are known to be good by then.
    """
    files = pl.concat(rows.select("uri", "sha256") for rows in (batch.images, batch.image_variants))
    files = files.filter(pl.col("uri").str.starts_with(EMBEDDED).not_())
    files = files.unique("sha256", keep="first", maintain_order=True)
    held = kept(db, files["sha256"])
    for uri, sha256 in files.join(held, on="sha256", how="anti", maintain_order="left").iter_rows():
        yield sha256, read_bytes(uri)


def _embedded(batch: Batch) -> Batch:
    uri = (EMBEDDED + pl.col("sha256")).alias("uri")
    return replace(
        batch,
        images=batch.images.with_columns(uri),
        image_variants=batch.image_variants.with_columns(uri),
    )
