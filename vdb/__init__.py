"""vdb: an embedding database for representational-alignment research.

>>> import vdb
>>> callable(vdb.open)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdb.errors import (
    InputError,
    ModelError,
    NotFoundError,
    RecipeMismatchError,
    StoreError,
    VdbError,
)
from vdb.place import check_place

if TYPE_CHECKING:
    from os import PathLike

    from vdb.database import Database

__version__ = "0.1.0"

__all__ = [
    "InputError",
    "ModelError",
    "NotFoundError",
    "RecipeMismatchError",
    "StoreError",
    "VdbError",
    "__version__",
    "open",
]


def open(  # noqa: A001 - reads as vdb.open(...), the way gzip.open and PIL.Image.open do
    uri: str | PathLike[str],
    *,
    create: bool = False,
    storage_options: dict[str, str] | None = None,
) -> Database:
    """Open a store.

    Parameters
    ----------
    uri : str or path
        A directory, or an object-store URI such as ``s3://bucket/study``.
    create : bool
        Make the store when there is none.
    storage_options : dict of str, optional
        Credentials and endpoint of an object store, passed on to Lance.

    Returns
    -------
    Database

    Raises
    ------
    NotFoundError
        There is no store there and ``create`` is false.
    StoreError
        The store cannot be reached, was written by a newer vdb, or needs ``vdb migrate`` first.
    """
    check_place(str(uri), create=create)
    # Imported here so that `import vdb`, `vdb --help` and a mistyped place do not load Lance.
    from vdb.opening import open_database  # noqa: PLC0415 - as said above

    return open_database(str(uri), create=create, storage_options=storage_options)
