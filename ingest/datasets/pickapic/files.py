"""Where the Parquet files of a data set are: on this machine, or on the hub, where they are read without a download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.datasets.patterns import expanded, is_pattern
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d{5,})-of-(?P<of>\d{5,})(?:-[0-9a-f]+)?")
_HUB = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?", re.ASCII)
_BLOCK = 8 << 20  # read from the hub at a time


@dataclass(frozen=True, slots=True)
class ParquetPlace:
    """A Parquet file.

    Attributes
    ----------
    path : str
        On this machine, or in ``system``.
    system : fsspec file system, optional
    """

    path: str
    system: Any = None

    @property
    def name(self) -> str:
        """What errors and sources call it."""
        return self.path.rpartition("/")[2]

    def open(self) -> Any:  # noqa: ANN401 - a path or a file, as pyarrow takes either
        """Return what pyarrow reads it through."""
        if self.system is None:
            return self.path
        return self.system.open(self.path, "rb", block_size=_BLOCK)


def parquet_places(sources: Sequence[str | Path], split: str | None) -> list[ParquetPlace]:
    """Find the files of a data set.

    Parameters
    ----------
    sources : sequence of path or str
        Parquet files, patterns and directories of them, or data sets of the hub, ``OWNER/NAME`` or
        ``OWNER/NAME@REVISION``.
    split : str, optional
        Of directories and the hub: the files ``SPLIT-00000-of-00014-....parquet`` or ``SPLIT.parquet``.

    Raises
    ------
    NotFoundError
        There is no such file, directory, data set or split.
    InputError
        Several splits and none chosen; the hub cannot be reached.
    """
    places: dict[str, ParquetPlace] = {}
    for source in sources:
        for place in _of_source(source, split):
            places.setdefault(place.path, place)
    return list(places.values())


def incomplete(places: Sequence[ParquetPlace]) -> list[str]:
    """Say which splits lack files, by the numbers in the files' own names.

    >>> incomplete([ParquetPlace("/data/test-00001-of-00003.parquet")])
    ['test: 1 of 3 files are here; the rows of the others are not added']
    """
    wanted: dict[str, int] = {}
    found: dict[str, set[str]] = {}
    for place in places:
        if named := _SHARD.fullmatch(place.name.removesuffix(".parquet")):
            wanted[named["split"]] = int(named["of"])
            found.setdefault(named["split"], set()).add(named["number"])
    return [
        f"{split}: {len(found[split])} of {of} files are here; the rows of the others are not added"
        for split, of in wanted.items()
        if len(found[split]) < of
    ]


def _of_source(source: str | Path, split: str | None) -> list[ParquetPlace]:
    path = Path(source)
    if path.is_dir():
        return _in_directory(path.absolute(), split)
    if path.exists():
        return [ParquetPlace(str(path.absolute()))]
    named = str(source)
    if is_pattern(named):
        return [ParquetPlace(str(file)) for file in expanded(named, "file")]
    if _HUB.fullmatch(named) and not named.endswith(".parquet") and named[0] not in "./":
        return _on_hub(named, split)
    raise NotFoundError(f"{source}: there is no such file, directory or data set of the hub")


def _in_directory(directory: Path, split: str | None) -> list[ParquetPlace]:
    files = sorted(
        file
        for file in directory.rglob("*.parquet")
        if not any(part.startswith(".") for part in file.relative_to(directory).parts)
    )
    if not files:
        raise NotFoundError(f"{directory} holds no Parquet file (NAME.parquet)")
    return _of_split([ParquetPlace(str(file)) for file in files], split, str(directory))


def _of_split(places: list[ParquetPlace], split: str | None, where: str) -> list[ParquetPlace]:
    splits: dict[str, list[ParquetPlace]] = {}
    for place in places:
        splits.setdefault(_split_of(place.name), []).append(place)
    if split is not None:
        if split not in splits:
            raise NotFoundError.named("split", split, splits, place=f"in {where}")
        return splits[split]
    if len(splits) > 1:
        raise InputError(
            f"{where} holds several splits: {', '.join(sorted(splits))}; choose one with --split, "
            "as one choice may stand in two of them"
        )
    return places


def _split_of(name: str) -> str:
    stem = name.removesuffix(".parquet")
    named = _SHARD.fullmatch(stem)
    return named["split"] if named else stem


def _on_hub(name: str, split: str | None) -> list[ParquetPlace]:
    from huggingface_hub import HfFileSystem, constants  # noqa: PLC0415 - only the hub needs it

    repository, _, revision = name.partition("@")
    if constants.HF_HUB_OFFLINE:
        return _in_directory(_cached(repository, revision or None), split)
    system = HfFileSystem()
    try:
        found = sorted(system.glob(f"datasets/{name}/**.parquet"))
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{name} is no file here, and the hub cannot be asked for it ({reason}); check the name and the network, "
            f"or fetch it elsewhere with `hf download --repo-type dataset {repository}` and name its directory"
        ) from error
    if not found:
        raise NotFoundError(
            f"{name} is no file here, and no data set of the hub with Parquet files"
        )
    return _of_split([ParquetPlace(path, system) for path in found], split, name)


def _cached(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only the hub needs it

    try:
        found = snapshot_download(
            repository, repo_type="dataset", revision=revision, local_files_only=True
        )
    except Exception as error:
        raise NotFoundError(
            f"{repository} is no file here, HF_HUB_OFFLINE is set, and it is not cached; fetch it beforehand with "
            f"`hf download --repo-type dataset {repository}`"
        ) from error
    return Path(found)
