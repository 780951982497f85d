"""Cutting a caption into words and marks, for taggers that are given words."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Word(NamedTuple):
    """A word or mark and the index of its first character."""

    text: str
    start: int


_INSIDE = re.compile(r"""[/;…—()\[\]"“”!?]+|\.{2,}|,(?!\d)|:(?!\d)|(?<=[a-z])\.(?=[A-Z])""")
"""Marks that part two words though no white space does: ``cat/dog``, ``dog.The``; not those of 7:30 and 1,000."""

_END = r"(?:n['\u2019]t|['\u2019](?:s|re|ve|ll|d|m))$"
_CLITIC = re.compile(rf"(?<=\w){_END}", re.IGNORECASE)
_CLITIC_ALONE = re.compile(_END, re.IGNORECASE)
_INITIALS = re.compile(r"(?:\w\.)+\w")
_TITLES = frozenset({"mr", "mrs", "ms", "dr"})


def cut(text: str) -> list[Word]:
    """Cut a text into words and marks; only white space is left out, so text and starts give it back.

    Parted from a word are the marks around it and the ends of contractions (``isn't`` is ``is``, ``n't``; ``man's``
    is ``man``, ``'s``, also where a space parts them already). One word each stay what hyphens and apostrophes join,
    numbers (``1,000``, ``7:30``) and initials (``U.S.``). Equal marks in a row are one (``...``), and so are signs in
    a row (an emoji and what modifies it).

    >>> [word.text for word in cut("A well-worn dog isn't (here).")]
    ['A', 'well-worn', 'dog', 'is', "n't", '(', 'here', ')', '.']
    """
    words: list[Word] = []
    for run in re.finditer(r"\S+", text):
        words += _cut_run(run.group(), run.start())
    return words


def is_word(text: str) -> bool:
    """Tell whether there is a letter or digit in a piece."""
    return any(map(str.isalnum, text))


def _cut_run(run: str, start: int) -> Iterator[Word]:
    """Cut what has no white space: the marks before, the words, the marks after."""
    if _CLITIC_ALONE.match(run):
        yield Word(run, start)
        return
    letters = [index for index, char in enumerate(run) if char.isalnum()]
    if not letters:
        yield from _cut_marks(run, start)
        return
    first, end = letters[0], letters[-1] + 1
    while end < len(run) and unicodedata.category(run[end])[0] == "M":  # an accent is of its letter
        end += 1
    core = run[first:end]
    if run[end : end + 1] == "." and (_INITIALS.fullmatch(core) or core.lower() in _TITLES):
        end += 1
        core = run[first:end]
    yield from _cut_marks(run[:first], start)
    at = 0
    for mark in _INSIDE.finditer(core):
        yield from _cut_word(core[at : mark.start()], start + first + at)
        yield from _cut_marks(mark.group(), start + first + mark.start())
        at = mark.end()
    yield from _cut_word(core[at:], start + first + at)
    yield from _cut_marks(run[end:], start + end)


def _cut_word(word: str, start: int) -> Iterator[Word]:
    if clitic := _CLITIC.search(word):
        yield Word(word[: clitic.start()], start)
        yield Word(clitic.group(), start + clitic.start())
    elif word:
        yield Word(word, start)


def _cut_marks(marks: str, start: int) -> Iterator[Word]:
    for _, group in groupby(marks, lambda char: char if _is_mark(char) else ""):
        piece = "".join(group)
        yield Word(piece, start)
        start += len(piece)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "P"
