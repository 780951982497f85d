"""COCO captions: ``images`` and ``annotations`` in one JSON file, the photos in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.datasets.base import (
    Batch,
    caption_frame,
    check_texts,
    image_frame,
    one_each,
    pair_frame,
    prefixed,
    text_column,
)
from ingest.datasets.files import Root, hash_files, locate_all
from ingest.datasets.json_text import KINDS, line_of_element, parse_json, read_text
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = (int, str)
_TEXT = (str,)


def coco(
    images_dir: str | Path, captions_file: str | Path, *, name: str = "coco", prefix: str = ""
) -> Iterator[Batch]:
    """Read a COCO captions file and the photos it names, as one batch.

    Ids are the file's own, as text: image ``397133``, caption ``370509``. Images that have no
    caption are items like the others.

    Parameters
    ----------
    images_dir : path
        The folder that ``file_name`` is relative to.
    captions_file : path
        Such as ``captions_val2017.json``.
    name : str
        The dataset's name in the store.
    prefix : str
        Put before each image and caption id, to keep two datasets' numbers apart.

    Raises
    ------
    NotFoundError
        The file or the folder is not there.
    InputError
        Malformed JSON, a missing or mistyped field, an annotation of an image that is not listed,
        one id for two things, a photo that is missing or outside the folder. The message names the
        line and the entry, and nothing is yielded.
    """
    root = Root(Path(images_dir))
    file = Path(captions_file)
    text = read_text(file)
    document = parse_json(text, file.name)
    listed = _section(document, "images", text, file.name)
    annotated = _section(document, "annotations", text, file.name)

    captions = pl.DataFrame(
        {
            "caption_id": annotated.ids("id", prefix),
            "image_id": annotated.ids("image_id", prefix),
            "text": check_texts(
                annotated.texts("caption"), partial(annotated.where, field="caption")
            ),
            "source": annotated.sources(),
        }
    )
    images = pl.DataFrame(
        {
            "image_id": listed.ids("id", prefix),
            "file": listed.texts("file_name"),
            "source": listed.sources(),
        }
    )
    _refuse_dangling(captions, images, annotated)
    captions = one_each(captions, "caption_id", ["text", "image_id"])

    paths = locate_all(root, images["file"].to_list(), partial(listed.where, field="file_name"))
    images = images.with_columns(
        pl.Series("uri", paths, dtype=pl.String),
        hash_files(paths, lambda i: f"{listed.where(i)} (image {images['image_id'][i]!r})").alias(
            "sha256"
        ),
    )
    images = one_each(images, "image_id", ["sha256"])
    yield Batch(
        images=image_frame(
            images["image_id"],
            uri=images["uri"],
            sha256=images["sha256"],
            dataset=name,
            source=images["source"],
        ),
        captions=caption_frame(
            captions["caption_id"],
            text=captions["text"],
            dataset=name,
            source=captions["source"],
        ),
        pairs=pair_frame(
            captions["image_id"],
            captions["caption_id"],
            dataset=name,
            source=captions["source"],
        ),
    )


def _refuse_dangling(captions: pl.DataFrame, images: pl.DataFrame, annotated: _Section) -> None:
    dangling = (~captions["image_id"].is_in(images["image_id"].implode())).arg_true()
    if len(dangling):
        first = dangling[0]
        raise InputError(
            f"{annotated.where(first, 'image_id')} is {captions['image_id'][first]!r}, which no entry "
            f"of images has ({len(dangling)} annotations in all); list the image or drop them"
        )


@dataclass(frozen=True, slots=True)
class _Section:
    """One array of the file, read a field at a time."""

    key: str
    entries: list[Any]
    text: str
    file: str

    def where(self, index: int, field: str = "") -> str:
        """Name an entry, or a field of it, and its line."""
        line = line_of_element(self.text, self.key, index)
        return f"{self.file}:{line}: {self.key}[{index}]{'.' if field else ''}{field}"

    def sources(self) -> list[str]:
        return [f"{self.file} {self.key}[{index}]" for index in range(len(self.entries))]

    def ids(self, field: str, prefix: str) -> pl.Series:
        where = partial(self.where, field=field)
        values = text_column([str(value) for value in self._values(field, _ID)], where)
        return prefixed(values, prefix, where)

    def texts(self, field: str) -> pl.Series:
        return text_column(self._values(field, _TEXT), partial(self.where, field=field))

    def _values(self, field: str, kinds: tuple[type, ...]) -> list[Any]:
        try:
            values = [entry[field] for entry in self.entries]
        except (KeyError, TypeError, IndexError):
            raise self._misfit(field) from None
        if set(map(type, values)) <= set(kinds):
            return values
        index = next(i for i, value in enumerate(values) if type(value) not in kinds)
        wanted = " or ".join(KINDS[kind] for kind in kinds)
        raise InputError(
            f"{self.where(index, field)} is {KINDS[type(values[index])]}; it must be {wanted}"
        )

    def _misfit(self, field: str) -> InputError:
        for index, entry in enumerate(self.entries):
            if not isinstance(entry, dict):
                found = KINDS[type(entry)]
                return InputError(f"{self.where(index)} is {found}; it must be an object")
            if field not in entry:
                hint = "; is this a COCO captions file?" if field == "caption" else ""
                return InputError(f"{self.where(index, field)} is missing{hint}")
        raise AssertionError(field)


def _section(document: Any, key: str, text: str, file: str) -> _Section:  # noqa: ANN401 - JSON
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise InputError(f"{file}:1: no array {key!r} at the top; is this a COCO captions file?")
    return _Section(key, document[key], text, file)
