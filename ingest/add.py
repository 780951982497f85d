"""Adding a data set to a store: what an adapter yields, checked and written batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vdb
from vdb.items import Added, add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.datasets.base import Batch
    from vdb.database import Database


def add_dataset(
    uri: str, batches: Iterator[Batch], notice: Callable[[str], None]
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

    Returns
    -------
    Database, Added

    Raises
    ------
    InputError, NotFoundError
        From the adapter or the checks; of the batch at fault nothing is written, and a mistake in the first one
        leaves no empty store behind.
    """
    report = Added()
    db: Database | None = None
    for batch in batches:
        for message in batch.notices:
            notice(message)
        db = db or vdb.open(uri, create=True)
        report += add(db, batch.tables())
    return db or vdb.open(uri, create=True), report
