"""Whether a local store can be where it is said to be; light, so that a mistyped place is told at once."""

from __future__ import annotations

from pathlib import Path

from vdb.errors import NoStoreError, StoreError


def check_place(uri: str, *, create: bool) -> None:
    """Check that a store can be opened at ``uri``, or made there; an object store's URI is taken as it is.

    Raises
    ------
    NoStoreError
        There is no such directory, and none is to be made.
    StoreError
        It is a file.
    """
    if "://" in uri:
        return
    if Path(uri).is_file():
        raise StoreError(f"{uri} is a file: a store is a directory")
    if not create and not Path(uri).is_dir():
        raise NoStoreError(uri)
