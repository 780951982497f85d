"""The members of a tar archive, read one by one in the order they stand, without anything written to disk."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

LARGEST_MEMBER = 256 << 20
"""Bytes above which a member is refused: it is held in memory, and one that large is no image or caption."""

_LONGEST_NOTE = 1 << 20
"""Bytes above which a header's extension is refused: tarfile reads a long name whole, and a gzip of it is short."""

_NOTES = frozenset(
    {
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    }
)

# What tarfile lets through of damaged headers and streams, seen or fuzzed.
_DAMAGE = (
    tarfile.TarError,
    EOFError,
    OSError,
    TypeError,
    ValueError,
    RecursionError,
    zlib.error,
    lzma.LZMAError,
)

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive.

    Attributes
    ----------
    name : str
        Relative, without ``..``.
    data : bytes
    offset : int or None
        Where the bytes begin in the archive; None where it is compressed.
    """

    name: str
    data: bytes
    offset: int | None


class _Strict(tarfile.TarInfo):
    """A header that must be whole: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(_BLOCK):
                raise  # the end mark
            raise tarfile.ReadError(str(error)) from error
        if header.size < 0 or (header.type in _NOTES and header.size > _LONGEST_NOTE):
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def is_compressed(shard: Path) -> bool:
    """Tell whether an archive is compressed as a whole, so that its members have no place on disk.

    Raises
    ------
    NotFoundError, InputError
        It is not there or cannot be read.
    """
    try:
        with shard.open("rb") as file:
            return file.read(8).startswith(_COMPRESSED)
    except FileNotFoundError:
        raise NotFoundError(f"{shard}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{shard} cannot be read: {error.strerror}") from error


def members(shard: Path) -> Iterator[Member]:
    """Read each file of an archive; directories are passed over.

    Parameters
    ----------
    shard : Path
        ``.tar``, or one compressed with gzip, bzip2 or xz.

    Raises
    ------
    NotFoundError
        There is no such file.
    InputError
        It is no tar archive, is cut short or damaged; a member is a link or a device, its name leaves the archive,
        or it is too large. The message names the shard and the member.
    """
    compressed = is_compressed(shard)
    last = "its beginning"
    try:
        with tarfile.open(shard, "r|*" if compressed else "r:", tarinfo=_Strict) as archive:
            for info in archive:
                if not info.isdir():
                    _check(info, f"{shard.name}: member {info.name!r}")
                    yield Member(
                        info.name,
                        _content(archive, info, shard.name),
                        None if compressed else info.offset_data,
                    )
                last = repr(info.name)
                archive.members = []  # type: ignore[attr-defined] # else all of them would be kept
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{shard.name}: cut short or damaged after {last}: {reason}; write or fetch it again"
        ) from error


def _check(info: tarfile.TarInfo, where: str) -> None:
    if not info.isreg():
        kind = "a link" if info.issym() or info.islnk() else "a device or a pipe"
        raise InputError(f"{where} is {kind}; only files and directories are read")
    if info.issparse():
        raise InputError(f"{where} is a sparse file, which has no one place in the archive")
    if any("\ud800" <= letter <= "\udfff" for letter in info.name):
        raise InputError(f"{where}: its name is not UTF-8; write the shard again with one that is")
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts or "\\" in info.name:
        raise InputError(f"{where} would lie outside the archive's own directory")
    if info.size > LARGEST_MEMBER:
        raise InputError(f"{where} has {info.size:,} bytes; at most {LARGEST_MEMBER:,} are read")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo, shard: str) -> bytes:
    file = archive.extractfile(info)
    data = file.read() if file else b""
    if len(data) < info.size:
        raise InputError(
            f"{shard}: member {info.name!r} has {len(data):,} of its {info.size:,} bytes: the shard is cut short; "
            "write or fetch it again"
        )
    return data
