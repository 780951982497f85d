"""Image files, on disk or in an object store: which of them a dataset may name, and what they hold."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

import polars as pl

from ingest.sources import is_remote, read_bytes
from vdb.errors import InputError, NotFoundError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.datasets.base import Where
    from vdb.progress import Progress

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_THREADS = 8  # hashing waits for the disk or the network, and hashlib lets go of the interpreter
_CHUNK = 32  # files a task: handing over one small file costs more than hashing it


class Folder(Protocol):
    """What a dataset's files may not leave."""

    def locate(self, written: str) -> str:
        """Return where a file lies, as the store keeps it."""


def root_of(place: str | Path) -> Folder:
    """Return the :class:`Root` or, for a URI, the :class:`RemoteRoot` of a dataset.

    Raises
    ------
    NotFoundError
        There is no such folder.
    """
    return RemoteRoot(str(place)) if is_remote(str(place)) else Root(Path(place))


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
            A path relative to this folder, or an absolute one inside it. The separators of Windows are understood
            where there is no file whose name has them.

        Raises
        ------
        InputError
            It is a URI, or lies outside; the message does not say where it was written.
        """
        if is_remote(written):
            raise InputError(f"{written!r} is a URI; give the place it lies in as the root")
        if "\0" in written:
            raise InputError(f"the path {written!r} holds a NUL character")
        path = os.path.normpath(os.path.join(self.path, written))  # noqa: PTH118 - 100,000 of them
        if "\\" in written and not os.path.lexists(path):
            _refuse_drive(written)
            return self.locate(written.replace("\\", "/"))
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


@dataclass(slots=True)
class RemoteRoot:
    """A place in an object store that a dataset's files may not leave: ``s3://bucket/photos``.

    Parameters
    ----------
    uri : str
        Of any scheme that ``pyarrow.fs`` knows, with its options if need be (``?region=eu-west-1``). What is not said
        comes from the environment: ``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...
    """

    uri: str
    _place: str = field(init=False)
    _path: str = field(init=False)
    _options: str = field(init=False)

    def __post_init__(self) -> None:
        bare, mark, options = self.uri.partition("?")
        scheme, _, rest = bare.partition("://")
        authority, _, path = rest.partition("/")
        self._place = f"{scheme.lower()}://{authority}"
        self._path = posixpath.normpath(f"/{unquote(path)}")
        self._options = mark + options
        if ".." in unquote(path).split("/"):
            raise InputError(f"the root {self.uri!r} climbs with '..'; write where it leads")

    def locate(self, written: str) -> str:
        """Return the percent-encoded URI of an object under this place; the object need not exist.

        Parameters
        ----------
        written : str
            A path relative to this place, taken as it is but for the separators of Windows; or a URI inside it, whose
            percent-encoding is read where it has any.

        Raises
        ------
        InputError
            It lies outside, or is absolute.
        """
        if is_remote(written):
            scheme, _, rest = written.partition("://")
            authority, _, path = rest.partition("/")
            if f"{scheme.lower()}://{authority}" != self._place:
                raise InputError(f"{written!r} lies outside {self.uri}; name a root that holds it")
            path = f"/{unquote(path)}"
        else:
            _refuse_drive(written)
            if written.startswith("/"):
                raise InputError(
                    f"the path {written!r} is absolute; write it relative to {self.uri}"
                )
            path = f"{self._path}/{written.replace(chr(92), '/')}"
        if "\0" in path:
            raise InputError(f"the path {written!r} holds a NUL character")
        path = "/" + posixpath.normpath(path).lstrip("/")
        if path == self._path:
            raise InputError(f"the path {written!r} names no file")
        if not _lies_in(path, self._path):
            raise InputError(f"{written!r} lies outside {self.uri}; name a root that holds it")
        return f"{self._place}{quote(path)}{self._options}"


def _refuse_drive(written: str) -> None:
    if _WINDOWS.match(written):
        raise InputError(
            f"{written!r} is a path of a Windows drive; write it relative to the folder of the images (--root)"
        )


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder if folder.endswith("/") else f"{folder}/")


def locate_all(root: Folder, written: Sequence[str], where: Where) -> list[str]:
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


def hash_files(paths: Sequence[str], where: Where, progress: Progress | None = None) -> pl.Series:
    """Hash what files and objects hold, each distinct one once, several at a time; ``progress`` hears of them.

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
    with (
        ThreadPoolExecutor(_THREADS) as pool,
        (progress or Silent()).task("files hashed", len(distinct)) as task,
    ):
        digests: dict[str, str | InputError] = {}
        for chunk, hashed in zip(chunks, pool.map(_sha256_of_each, chunks), strict=True):
            digests.update(zip(chunk, hashed, strict=True))
            task.advance(len(chunk))
    failed = {path for path, digest in digests.items() if isinstance(digest, InputError)}
    if failed:
        first = next(index for index, path in enumerate(paths) if path in failed)
        count = f" ({len(failed)} of {len(distinct)} files fail so)" if len(failed) > 1 else ""
        raise InputError(f"{where(first)}: {digests[paths[first]]}{count}")
    return pl.Series([digests[path] for path in paths], dtype=pl.String)


def _sha256_of_each(paths: list[str]) -> list[str | InputError]:
    return [_sha256(path) for path in paths]


def _sha256(path: str) -> str | InputError:
    try:
        if is_remote(path):
            return hashlib.sha256(read_bytes(path)).hexdigest()
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a pipe would never end
            return InputError(f"{path}: not a regular file")
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"{path}: {error.strerror or 'cannot be read'}")
