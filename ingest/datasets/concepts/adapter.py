"""A folder for each concept, its images inside, with captions or without."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.datasets.base import (
    Batch,
    check_id,
    check_ids,
    concept_frame,
    frame_of_none,
    image_frame,
    text_column,
)
from ingest.datasets.concepts.captions import captions_of
from ingest.datasets.files import Root, hash_files, locate_all
from ingest.datasets.image_formats import SUFFIXES
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vdb.progress import Progress


def concepts(
    directory: str | Path,
    *,
    captions: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
    prefix: str = "",
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read a directory that holds a folder for each concept, as one batch in sorted order.

    A folder's name is its concept's id; an image's id is its path, ``cup/image_0001.jpg``. Hidden
    files are passed over; files that are no images, and folders without any, are told of in the
    batch's notices.

    Parameters
    ----------
    directory : path
        The directory of the folders.
    captions : path, optional
        A table of captions, CSV, TSV, JSONL or Parquet: ``caption`` and the ``image_path`` (from the
        directory) or the ``concept_id`` that it is of; ``caption_id`` may be there too.
    mapping : mapping of field to column, optional
        Which column of it holds a field, where it is not called so.
    name : str, optional
        The dataset's name in the store; the directory's unless given.
    prefix : str
        Put before each image and caption id. Concepts keep their names, so that datasets can share them.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        There is no such directory or file, field or column of captions.
    InputError
        A folder inside a concept's folder, a link that leaves the directory, no image at all; a
        caption of what is not there, whose file and line are named.
    """
    root = Root(Path(directory))
    found = _scan(root.path)
    if not found.images:
        raise InputError(f"{root.path} holds no folder of images; {_expected()}")

    dataset = name or root.path.name
    names = sorted({folder for folder, _ in found.images})
    written = [f"{folder}/{file}" for folder, file in found.images]
    paths = locate_all(root, written, lambda i: f"{root.path.name}/{written[i]}")
    sources = [f"{root.path.name}/{path}" for path in written]
    ids = text_column([prefix + path for path in written], lambda i: repr(sources[i]))
    images = image_frame(
        check_ids(ids, lambda i: repr(sources[i])),
        concept_id=[folder for folder, _ in found.images],
        uri=paths,
        sha256=hash_files(paths, lambda i: sources[i], progress),
        dataset=dataset,
        source=sources,
    )
    texts, pairs = frame_of_none("captions"), frame_of_none("pairs")
    told: tuple[str, ...] = ()
    if captions is not None:
        texts, pairs, told = captions_of(Path(captions), mapping or {}, images, root, prefix)
    yield Batch(
        concepts=concept_frame(
            [check_id(folder, f"folder {folder!r}") for folder in names],
            name=names,
            dataset=dataset,
            source=[f"{root.path.name}/{folder}" for folder in names],
        ),
        images=images,
        captions=texts,
        pairs=pairs,
        notices=(*found.notices(), *told),
    )


@dataclass(slots=True)
class _Found:
    images: list[tuple[str, str]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    def notices(self) -> tuple[str, ...]:
        return (
            *_notice("left out {}: not called like an image", self.other),
            *_notice("no image in {}", self.empty),
            *_notice("left out {}: beside the folders, not in one", self.beside),
        )


def _notice(sentence: str, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (sentence.format(f"{names[0]}{more}"),)


def _scan(directory: Path) -> _Found:
    found = _Found()
    try:
        for entry in _visible(directory):
            if entry.is_dir():
                _collect(entry, found)
            else:
                found.beside.append(entry.name)
    except OSError as error:
        raise InputError(
            f"{error.filename or directory} cannot be read: {error.strerror}"
        ) from error
    return found


def _collect(folder: os.DirEntry[str], found: _Found) -> None:
    before = len(found.images)
    for entry in _visible(folder.path):
        if entry.is_dir():
            raise InputError(f"{entry.path} is a folder inside a concept's folder; {_expected()}")
        if Path(entry.name).suffix.lower() in SUFFIXES:
            found.images.append((folder.name, entry.name))
        else:
            found.other.append(f"{folder.name}/{entry.name}")
    if len(found.images) == before:
        found.empty.append(f"{folder.name}/")


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name
        )


def _expected() -> str:
    return "give the directory whose folders are the concepts, images directly inside them"
