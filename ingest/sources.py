"""Where the bytes of an image come from: a file, a member of a tar archive, an object store, or the store itself.

An image's ``uri`` is one of ``/photos/1.jpg``, ``/shards/0.tar#1536:48213`` (offset and size of a member, which is read
where it lies), ``s3://bucket/1.jpg`` (any scheme of ``pyarrow.fs``, percent-encoded), ``embedded:<SHA-256>``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pyarrow import ArrowException, fs

from vdb.blobs import EMBEDDED, Blobs
from vdb.errors import InputError

if TYPE_CHECKING:
    from vdb.database import Database

_MEMBER = re.compile(r"(?P<archive>.+\.tar)#(?P<offset>\d+):(?P<size>\d+)", re.DOTALL)
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def member_uri(archive: str, offset: int, size: int) -> str:
    """Name a member of an uncompressed tar archive by where its bytes lie."""
    return f"{archive}#{offset}:{size}"


def is_remote(uri: str) -> bool:
    """Tell whether a uri names an object store rather than a file: ``s3://bucket/1.jpg``."""
    return _REMOTE.match(uri) is not None


def read_bytes(uri: str) -> bytes:
    """Read an image that lies outside the store, whole.

    Raises
    ------
    InputError
        It is gone or cannot be read.
    """
    try:
        if is_remote(uri):
            return _read_remote(uri)
        # A file that is really called so comes first.
        if (found := _MEMBER.fullmatch(uri)) and not Path(uri).exists():
            return _read_range(found["archive"], int(found["offset"]), int(found["size"]))
        return Path(uri).read_bytes()
    except (OSError, ValueError, ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        moved = "; if the images moved, add them again from where they are"
        cure = moved if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{uri} cannot be read: {' '.join(str(reason).split())}{cure}") from error


def _read_range(archive: str, offset: int, size: int) -> bytes:
    with Path(archive).open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise ValueError(f"the archive has {len(data)} of these {size} bytes: it was cut short")
    return data


def _read_remote(uri: str) -> bytes:
    bare, mark, options = uri.partition("?")
    scheme, _, rest = bare.partition("://")
    authority, _, path = rest.partition("/")
    system, base = _system(f"{scheme}://{authority}", mark + options)
    path = unquote(path, errors="strict").lstrip("/")
    with system.open_input_stream(f"{base.rstrip('/')}/{path}" if base else path) as stream:
        return bytes(stream.read())


@lru_cache(
    maxsize=64
)  # finding out a bucket's region is a request, and a client's connections are worth keeping
def _system(place: str, options: str) -> tuple[Any, str]:
    system, base = fs.FileSystem.from_uri(f"{place}/{options}")
    return system, base


class Sources:
    """Reads any image of a store, wherever it lies; safe in threads.

    Parameters
    ----------
    db : Database
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._blobs: Blobs | None = None
        self._opening = Lock()

    def read(self, uri: str) -> bytes:
        """Return the encoded bytes behind a ``uri``.

        Raises
        ------
        InputError, NotFoundError
            They are gone or cannot be read.
        """
        if not uri.startswith(EMBEDDED):
            return read_bytes(uri)
        with self._opening:
            if self._blobs is None:  # most stores hold none
                self._blobs = Blobs(self._db)
        return self._blobs.read(uri)
