"""Image files on disk: which of them a dataset may name, and what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.datasets.base import Where

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_THREADS = 8  # hashing waits for the disk, and hashlib lets go of the interpreter
_CHUNK = 32  # files a task: handing over one small file costs more than hashing it


@dataclass(slots=True)
class Root:
    """A folder that a dataset's files may not leave, neither by ``..`` nor through a link.

    A manifest is data, often somebody else's: it must not be able to name any file of the machine.
    """

    path: Path
    _real: str = ""
    _inside: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = Path(os.path.abspath(self.path))  # noqa: PTH100 - resolve() would follow links
        if not self.path.is_dir():
            raise NotFoundError(f"{self.path} is not a folder")
        self._real = os.path.realpath(self.path)

    def locate(self, written: str) -> str:
        """Return the absolute path of a file under this folder; the file need not exist.

        Parameters
        ----------
        written : str
            A path relative to this folder, or an absolute one inside it.

        Raises
        ------
        InputError
            It is a URI, or lies outside; the message does not say where it was written.
        """
        if _URI.match(written):
            raise InputError(f"{written!r} is a URI; only local files can be added")
        if "\0" in written:
            raise InputError(f"the path {written!r} holds a NUL character")
        path = os.path.normpath(os.path.join(self.path, written))  # noqa: PTH118 - 100,000 of them
        if path == str(self.path):
            raise InputError(f"the path {written!r} names no file")
        if not _lies_in(path, str(self.path)):
            raise InputError(f"{written!r} lies outside {self.path}; name a root that holds it")
        if not self._stays(path):
            raise InputError(f"{written!r} is or follows a link that leaves {self.path}")
        return path

    def _stays(self, path: str) -> bool:
        # Links are followed once a folder, not once a file.
        if os.path.islink(path):  # noqa: PTH114 - speed, as above
            return _lies_in(os.path.realpath(path), self._real)
        folder = os.path.dirname(path)  # noqa: PTH120 - speed, as above
        if folder not in self._inside:
            self._inside[folder] = _lies_in(os.path.realpath(folder), self._real)
        return self._inside[folder]


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder if folder.endswith("/") else f"{folder}/")


def locate_all(root: Root, written: Sequence[str], where: Where) -> list[str]:
    """Locate each path under ``root``.

    Raises
    ------
    InputError
        Naming the first place whose path may not be used.
    """
    located = []
    for index, path in enumerate(written):
        try:
            located.append(root.locate(path))
        except InputError as error:
            raise InputError(f"{where(index)}: {error}") from None
    return located


def hash_files(paths: Sequence[str], where: Where) -> pl.Series:
    """Hash what files hold, each distinct path once.

    Returns
    -------
    pl.Series
        The hexadecimal SHA-256 of each file, in the order of ``paths``.

    Raises
    ------
    InputError
        Files that are missing or unreadable: the first is named, all are counted.
    """
    distinct = list(dict.fromkeys(paths))
    chunks = [distinct[at : at + _CHUNK] for at in range(0, len(distinct), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        hashed = chain.from_iterable(pool.map(_sha256_of_each, chunks))
        digests = dict(zip(distinct, hashed, strict=True))
    failed = {path for path, digest in digests.items() if isinstance(digest, OSError)}
    if failed:
        first = next(index for index, path in enumerate(paths) if path in failed)
        reason = getattr(digests[paths[first]], "strerror", None) or "cannot be read"
        count = f" ({len(failed)} of {len(distinct)} files fail so)" if len(failed) > 1 else ""
        raise InputError(f"{where(first)}: {paths[first]}: {reason}{count}")
    return pl.Series([digests[path] for path in paths], dtype=pl.String)


def _sha256_of_each(paths: list[str]) -> list[str | OSError]:
    return [_sha256(path) for path in paths]


def _sha256(path: str) -> str | OSError:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a pipe would never end
            return OSError(errno.EINVAL, "not a regular file")
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error
