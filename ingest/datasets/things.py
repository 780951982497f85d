"""THINGS (https://things-initiative.org): 26,107 photos of 1,854 object concepts, as its two layouts list them.

``Main/things_concepts.tsv`` with ``Variables/*.csv``, or ``Metadata/Concept-specific/*.csv`` with
``Metadata/Image-specific/*.csv``. The CSVs have no header, and count concepts from 1.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.datasets.base import Batch, check_id, concept_frame, image_frame, prefixed, text_column
from ingest.datasets.files import Root, hash_files, locate_all
from ingest.datasets.json_text import read_text
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdb.progress import Progress

PHOTOS = ("Images", "images", "object_images", "Main/images", "Main/Images", "Main/object_images")
"""Where the folders of photos may lie, from the directory of the data set."""


def things(
    directory: str | Path,
    *,
    images: str | Path | None = None,
    name: str | None = None,
    prefix: str = "",
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read the photos and concepts of THINGS, as one batch in the order of its lists.

    A concept's id is its unique id (``bat1``) and its name the word (``bat``); an image's id is its path within the
    photos, ``bat1/bat1_01b.jpg``, in either layout. Photos that are listed and not there are left out, as many have a
    part of THINGS only; a notice says how many, and of which concepts there is none.

    Parameters
    ----------
    directory : path
        The directory that holds ``Main`` and ``Variables``, or ``Metadata``; the one above ``THINGS`` will do.
    images : path, optional
        The directory of the folders of photos; one of :data:`PHOTOS` unless given.
    name : str, optional
        The dataset's name in the store; "things" unless given.
    prefix : str
        Put before each image id. Concepts keep their ids.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        There is no such directory, or not the lists of THINGS in it.
    InputError
        The lists do not fit each other, a path leaves the photos, or no photo is there at all.
    """
    lists = _find(Path(directory))
    root = Root(Path(images) if images is not None else _photos(lists.home))
    dataset = name or "things"
    concepts = _column(lists.unique_id)
    words = _words(lists, concepts)
    listed = [_bare(path) for path in _column(lists.image_paths)]
    indices = _indices(lists, len(concepts), len(listed))

    def where(i: int) -> str:
        return f"{lists.image_paths.name}:{i + 1}"

    _check_unique(concepts, lists.unique_id)
    _check_unique(listed, lists.image_paths)
    located = locate_all(root, listed, where)
    there = [i for i, path in enumerate(located) if Path(path).exists()]
    if not there:
        raise InputError(
            f"none of the {len(listed)} photos is in {root.path}; --images DIR says where they are"
        )
    used = sorted({indices[i] for i in there})
    paths = [located[i] for i in there]
    ids = text_column([listed[i] for i in there], lambda i: where(there[i]))
    yield Batch(
        concepts=concept_frame(
            [check_id(concepts[i], f"{lists.unique_id.name}:{i + 1}") for i in used],
            name=[words[i] for i in used],
            dataset=dataset,
            source=[f"{lists.unique_id.name}:{i + 1}" for i in used],
        ),
        images=image_frame(
            prefixed(ids, prefix, lambda i: where(there[i])),
            concept_id=[concepts[indices[i]] for i in there],
            uri=paths,
            sha256=hash_files(paths, lambda i: where(there[i]), progress),
            dataset=dataset,
            source=[where(i) for i in there],
        ),
        notices=_notices(listed, there, concepts, used),
    )


@dataclass(frozen=True, slots=True)
class _Lists:
    home: Path
    unique_id: Path
    image_concept_index: Path
    image_paths: Path
    words: Path  # of each concept; not in all releases


def _find(directory: Path) -> _Lists:
    if not directory.is_dir():
        raise NotFoundError(f"{directory.absolute()} is not a folder")
    for home in (directory, directory / "THINGS"):
        specific = home / "Metadata" / "Concept-specific"
        for concepts, images in (
            (home / "Variables", home / "Variables"),
            (specific, home / "Metadata" / "Image-specific"),
        ):
            if concepts.is_dir():
                folders = (concepts, images, home / "Main", home)
                return _Lists(
                    home,
                    _one_of(folders, "unique_id.csv"),
                    _one_of(folders, "image_concept_index.csv"),
                    _one_of((images, concepts, *folders), "image_paths.csv"),
                    _one_of((home / "Main", home, concepts, images), "things_concepts.tsv"),
                )
    raise NotFoundError(
        f"{directory} holds neither Variables nor Metadata/Concept-specific: it is not the directory of THINGS"
    )


def _one_of(folders: Sequence[Path], name: str) -> Path:
    """Return where a list lies, in the first of the folders that has it: releases differ in that."""
    return next(
        (folder / name for folder in folders if (folder / name).is_file()), folders[0] / name
    )


def _photos(home: Path) -> Path:
    for folder in PHOTOS:
        if (home / folder).is_dir():
            return home / folder
    raise NotFoundError(
        f"{home} has no folder of photos ({', '.join(PHOTOS)}); --images DIR says where they are"
    )


def _column(file: Path) -> list[str]:
    """Read a CSV of one column without a header, a row a line."""
    cells = []
    for line, row in enumerate(csv.reader(io.StringIO(read_text(file), newline="")), 1):
        if len(row) != 1 or not row[0].strip():
            raise InputError(f"{file.name}:{line}: {len(row)} cells where one is expected")
        cells.append(row[0].strip())
    if not cells:
        raise InputError(f"{file.name}: no rows")
    return cells


def _bare(path: str) -> str:
    """Return a path from the folder of photos: ``./images/bat1/bat1_01b.jpg`` -> ``bat1/bat1_01b.jpg``."""
    return re.sub(
        r"^(?:\./)?(?:(?:object_)?images/)?", "", path.replace("\\", "/"), flags=re.IGNORECASE
    )


def _indices(lists: _Lists, concepts: int, images: int) -> list[int]:
    """Read which concept each image is of, counted from 0."""
    file = lists.image_concept_index
    read = _column(file)
    if len(read) != images:
        raise InputError(
            f"{file.name} has {len(read)} rows and {lists.image_paths.name} {images}: they are of one release each"
        )
    indices = []
    for line, text in enumerate(read, 1):
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= concepts):
            raise InputError(
                f"{file.name}:{line}: {text!r} is not the number of a concept, 1 to {concepts}"
            )
        indices.append(int(text) - 1)
    return indices


def _check_unique(names: list[str], file: Path) -> None:
    [(name, count)] = Counter(names).most_common(1)
    if count > 1:
        first, second = [i + 1 for i, other in enumerate(names) if other == name][:2]
        raise InputError(f"{file.name}: {name!r} stands on lines {first} and {second}")


def _words(lists: _Lists, concepts: list[str]) -> list[str]:
    """Return the word for each concept; where no list tells, its unique id without number and underscores."""
    table = lists.words
    if not table.is_file():
        return [re.sub(r"\d+$", "", one).replace("_", " ") or one for one in concepts]
    # Read as other readers of THINGS do, leniently: a definition may hold a stray quote.
    reader = csv.reader(io.StringIO(read_text(table), newline=""), delimiter="\t")
    header, *rows = list(reader) or [[]]
    columns = [name.replace("_", "").lower() for name in header]
    for wanted in ("word", "uniqueid"):
        if wanted not in columns:
            raise NotFoundError.named("column", wanted, header, place=f"in {table.name}")
    words = {
        row[columns.index("uniqueid")]: row[columns.index("word")]
        for row in rows
        if len(row) == len(header)
    }
    for line, concept in enumerate(concepts, 1):
        if not words.get(concept):
            raise InputError(
                f"{lists.unique_id.name}:{line}: {table.name} has no word for {concept!r}"
            )
    return [words[concept] for concept in concepts]


def _notices(
    listed: list[str], there: list[int], concepts: list[str], used: list[int]
) -> tuple[str, ...]:
    if len(there) == len(listed):
        return ()
    held = set(there)
    first = next(path for i, path in enumerate(listed) if i not in held)
    told = f"left out {len(listed) - len(there)} of the {len(listed)} photos, {first} first: they are not there"
    without = sorted(set(range(len(concepts))) - set(used))
    more = (
        f"; of {len(without)} concepts there is none, {concepts[without[0]]} first"
        if without
        else ""
    )
    return (told + more,)
