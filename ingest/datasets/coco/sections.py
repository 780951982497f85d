"""The arrays of objects that COCO's JSON files are made of, read a field at a time and with places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.datasets.base import prefixed, text_column
from ingest.datasets.json_text import KINDS, line_of_element, parse_json, read_text
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_ID = (int, str)
_TEXT = (str,)
_WHOLE = (int,)
_FLAG = (int, bool)
_LIST = (list,)
_LONGEST_SIDE = 1 << 20


@dataclass(frozen=True, slots=True)
class Section:
    """One array of a file.

    Attributes
    ----------
    key : str
        Its name at the top of the file.
    entries : list
        What it holds; each should be an object.
    text, file, what : str
        What the file says, its name, and what it should be: "COCO captions file".
    inner : str
        Where the entries are those of arrays within the array's entries: the field that holds those arrays.
    places : list of (int, int), optional
        For each entry then, the index of the outer entry and its own in there.
    """

    key: str
    entries: list[Any]
    text: str
    file: str
    what: str
    inner: str = ""
    places: list[tuple[int, int]] | None = None

    def where(self, index: int, field: str = "") -> str:
        """Name an entry, or a field of it, and its line."""
        outer = self.places[index][0] if self.places is not None else index
        line = line_of_element(self.text, self.key, outer)
        return f"{self.file}:{line}: {self.entry(index)}{'.' if field else ''}{field}"

    def entry(self, index: int) -> str:
        """Name an entry as a path in the document: ``annotations[3]``."""
        if self.places is None:
            return f"{self.key}[{index}]"
        outer, own = self.places[index]
        return f"{self.key}[{outer}].{self.inner}[{own}]"

    def sources(self) -> list[str]:
        """Say where each entry comes from."""
        return [f"{self.file} {self.entry(index)}" for index in range(len(self.entries))]

    def ids(self, field: str, prefix: str = "") -> pl.Series:
        """Read ids, whole numbers or text, as text with ``prefix`` before each."""
        where = partial(self.where, field=field)
        values = text_column([str(value) for value in self.values(field, _ID)], where)
        return prefixed(values, prefix, where)

    def texts(self, field: str) -> pl.Series:
        """Read text."""
        return text_column(self.values(field, _TEXT), partial(self.where, field=field))

    def sides(self, field: str) -> pl.Series:
        """Read heights or widths, in pixels."""
        values = self.values(field, _WHOLE)
        for index, value in enumerate(values):
            if not 0 < value <= _LONGEST_SIDE:
                raise InputError(f"{self.where(index, field)} is {value}, which no image has")
        return pl.Series(values, dtype=pl.Int32)

    def flags(self, field: str, *, default: bool | None = None) -> pl.Series:
        """Read 0 and 1, or booleans; ``default``, if any, stands for a field that is not there."""
        values = self.values(field, _FLAG, default)
        for index, value in enumerate(values):
            if value not in (0, 1):
                raise InputError(f"{self.where(index, field)} is {value}; it must be 0 or 1")
        return pl.Series([bool(value) for value in values], dtype=pl.Boolean)

    def within(self, field: str) -> Section:
        """Return the entries of the arrays that ``field`` of each entry is."""
        lists = self.values(field, _LIST)
        return Section(
            self.key,
            [entry for entries in lists for entry in entries],
            self.text,
            self.file,
            self.what,
            field,
            [(i, j) for i, entries in enumerate(lists) for j in range(len(entries))],
        )

    def values(
        self,
        field: str,
        kinds: tuple[type, ...],
        default: Any = None,  # noqa: ANN401 - JSON
    ) -> list[Any]:
        """Read a field of each entry, which must be of one of some kinds.

        Raises
        ------
        InputError
            An entry is no object, has no such field, or has another kind of thing there.
        """
        try:
            if default is not None:
                values = [entry.get(field, default) for entry in self.entries]
            else:
                values = [entry[field] for entry in self.entries]
        except (KeyError, TypeError, IndexError, AttributeError):
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
                return InputError(f"{self.where(index, field)} is missing; is this a {self.what}?")
        raise AssertionError(field)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON file, parsed once.

    Attributes
    ----------
    content : object
        What it holds.
    text, file, what : str
        What it says, its name, and what it should be: "COCO captions file".
    """

    content: Any
    text: str
    file: str
    what: str

    def section(self, key: str) -> Section:
        """Return the array under a top-level key.

        Raises
        ------
        InputError
            There is none.
        """
        if not isinstance(self.content, dict) or not isinstance(self.content.get(key), list):
            raise InputError(f"{self.file}:1: no array {key!r} at the top; is this a {self.what}?")
        return Section(key, self.content[key], self.text, self.file, self.what)


def read_document(file: Path, what: str) -> Document:
    """Read and parse a file.

    Raises
    ------
    NotFoundError, InputError
        It is not there, or no JSON: the line is named.
    """
    text = read_text(file)
    return Document(parse_json(text, file.name), text, file.name, what)


def refuse_dangling(owners: pl.Series, listed: pl.Series, annotated: Section) -> None:
    """Refuse annotations of an image that the same file does not list.

    Raises
    ------
    InputError
        Naming the first and counting all.
    """
    dangling = (~owners.is_in(listed.implode())).arg_true()
    if len(dangling):
        first = dangling[0]
        raise InputError(
            f"{annotated.where(first, 'image_id')} is {owners[first]!r}, which no entry "
            f"of images has ({len(dangling)} annotations in all); list the image or drop them"
        )
