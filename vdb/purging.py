"""Leaving nothing on disk of what was removed.

A delete only marks rows, and every version of a table stays until it is cleaned up. Rewriting the rows that stay and
dropping every other version leaves what the store holds now and no more. Readers of an older version fail then, and
files of a commit that is under way would go too: nobody else may be using the store.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from vdb import tables
from vdb.blobs import EMBEDDED
from vdb.errors import StoreError

if TYPE_CHECKING:
    from vdb.database import Database

_ITEM_ROWS_A_FILE = 1 << 20


def purge(db: Database) -> int:
    """Rewrite what is left of each table, and drop its earlier versions; contents that no image names go too.

    Returns
    -------
    int
        Bytes given back.

    Raises
    ------
    StoreError
        A version is tagged: what was removed is still in it. Nothing was rewritten then.
    """
    for table in db.tables():
        for tag in table.to_lance().tags.list():
            raise StoreError(
                f"table {table.name!r} has a version tagged {tag!r}, which would keep what was removed; "
                "delete the tag first"
            )
    tables.delete_keys(db.table("blobs"), _unnamed(db))
    given_back = 0
    for table in db.tables():
        dataset = table.to_lance()
        spaces = table.name.startswith("space.")
        dataset.optimize.compact_files(
            target_rows_per_fragment=tables.ROWS_A_COMMIT if spaces else _ITEM_ROWS_A_FILE,
            materialize_deletions=True,
            materialize_deletions_threshold=0.0,
        )
        latest = table.to_lance()
        latest.restore()  # a version on top, as that of a delete quotes its filter
        stats = latest.cleanup_old_versions(older_than=timedelta(0), delete_unverified=True)
        given_back += stats.bytes_removed
    return given_back


def _unnamed(db: Database) -> list[str]:
    """Return the contents that no image names: an addition that was killed or refused half-way leaves them."""
    named = pl.concat([db.read(table).select("uri") for table in ("images", "image_variants")])
    digests = named.select(sha256=pl.col("uri").str.strip_prefix(EMBEDDED))
    held = db.read("blobs").select("sha256")
    return held.join(digests, on="sha256", how="anti").collect()["sha256"].to_list()
