"""The images that a store holds itself: their encoded bytes, once for each content.

An image whose ``uri`` begins with ``embedded:`` is read from here; every other one is read from where its ``uri`` says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vdb import layouts, tables
from vdb.errors import InputError, NotFoundError
from vdb.lookup import Lookup
from vdb.references import looked_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from vdb.database import Database

EMBEDDED = "embedded:"
"""What the uri of an image begins with that the store holds; the SHA-256 of its content follows."""

BYTES_A_COMMIT = 64 << 20


def embedded_uri(sha256: str) -> str:
    """Return the uri of an image that the store holds."""
    return EMBEDDED + sha256


def keep(db: Database, contents: Iterable[tuple[str, bytes]]) -> int:
    """Take images in, about 64 MB a commit; those that are there already are passed over.

    Parameters
    ----------
    db : Database
    contents : iterable of (str, bytes)
        SHA-256 and encoded bytes; consumed piece by piece, so it need not fit in memory.

    Returns
    -------
    int
        Images taken in.

    Raises
    ------
    InputError
        The bytes are not those of the digest.
    """
    taken, size = 0, 0
    gathered: dict[str, bytes] = {}
    for sha256, data in contents:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError(f"the image with SHA-256 {sha256[:12]}... changed while it was added")
        if sha256 not in gathered:
            gathered[sha256] = data
            size += len(data)
        if size >= BYTES_A_COMMIT:
            taken += _commit(db, gathered)
            gathered, size = {}, 0
    return taken + _commit(db, gathered)


def kept(db: Database, digests: pl.Series) -> pl.DataFrame:
    """Return the ``sha256`` of at least those of the contents that the store holds already."""
    return looked_up(db, "blobs", "sha256", digests).select("sha256").collect()


def _commit(db: Database, gathered: dict[str, bytes]) -> int:
    if not gathered:
        return 0
    table = db.table("blobs")
    there = tables.keys(table, pc.field("key").isin(list(gathered)))
    new = {sha256: data for sha256, data in gathered.items() if sha256 not in there}
    names = pa.array(new.keys(), pa.string())
    data = pa.array(new.values(), pa.large_binary())
    return tables.insert(table, pa.table([names, names, data], schema=layouts.BLOBS)) if new else 0


class Blobs:
    """Reads the images that a store holds, as they were when this was made; safe in threads.

    Parameters
    ----------
    db : Database
    """

    def __init__(self, db: Database) -> None:
        self._lookup = Lookup(db.table("blobs"), "sha256")

    def read(self, uri: str) -> bytes:
        """Return the bytes behind an ``embedded:`` uri.

        Raises
        ------
        NotFoundError
            The store does not hold them.
        """
        rows = self._lookup.rows(uri.removeprefix(EMBEDDED), ["data"])
        if not len(rows):
            raise NotFoundError(
                f"the store holds no content {uri!r}: it is damaged; add the image again"
            )
        return bytes(rows.column("data")[0].as_py())
