"""Numbers as digits and as words: ``2 dogs``, ``two dogs``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.variants.base import Variant
from ingest.variants.captions.text import altered, begins_with_capital, capitalised

if TYPE_CHECKING:
    import numpy as np

    from ingest.variants.base import TextItem

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "numbers.toml").read_text(encoding="utf-8")
)
_UNITS: Final[list[str]] = _TABLE["units"].split()
_TENS: Final[list[str]] = _TABLE["tens"].split()
_HUNDRED: Final[str] = _TABLE["hundred"]
_THOUSAND: Final[str] = _TABLE["thousand"]
_ONE_AFTER: Final = frozenset(_TABLE["one_after"].split())
_ONE_BEFORE: Final = frozenset(_TABLE["one_before"].split())

LARGEST: Final = 999_999

_VALUES: Final = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS) if word != "-"
}

# A whole number on its own: not a part of 3.5, 7:30, $5, #4, 1980s, 2nd or 10%. One of four digits without a comma is
# left, since it may be a year.
_DIGITS = re.compile(
    r"(?<![\w.,:/$€£#+\-])(?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})?)(?![\w%°])(?![.,:/][\w])", re.ASCII
)


def _grammar() -> re.Pattern[str]:
    small = "|".join(_UNITS[1:10])
    tens = "|".join(word for word in _TENS if word != "-")
    gap = r"[ \-]"
    below_100 = rf"(?:(?:{tens})(?:{gap}(?:{small}))?|{'|'.join(reversed(_UNITS[1:]))})"
    hundreds = rf"(?:(?:{small}|a){gap}{_HUNDRED}(?:(?: and)?{gap}{below_100})?)"
    below_1000 = rf"(?:{hundreds}|{below_100})"
    thousands = rf"(?:(?:{below_1000}|a){gap}{_THOUSAND}(?:(?: and)?{gap}{below_1000})?)"
    number = rf"(?ai:{thousands}|{below_1000}|{_UNITS[0]})"  # ASCII: each word is looked up again
    return re.compile(rf"(?<![\w'\u2019\-]){number}(?![\w'\u2019])")


_WORDS = _grammar()


def number_words(item: TextItem, _: np.random.Generator) -> str:
    """Write the whole numbers of a caption as words: ``2 dogs`` as ``two dogs``, up to 999,999.

    Left as they are: times, prices, decimals, ordinals, and four digits without a comma, which may be a year. A number
    that begins a caption is given a capital where a final mark shows it to be a sentence.
    """
    after = _DIGITS.sub(lambda m: say(int(m.group().replace(",", ""))), item.text)
    if begins_with_capital(item.text) or _begins_with_digit(item.text):
        after = capitalised(after)
    return altered(item.text, after, "no number in digits in it")


def digits(item: TextItem, _: np.random.Generator) -> str:
    """Write the number words of a caption as digits: ``two dogs`` as ``2 dogs``, up to 999,999.

    A lone ``one`` may be a pronoun and is left where it does not look like a number (see ``numbers.toml``); ordinals
    are left.
    """

    def replaced(match: re.Match[str]) -> str:
        if match.group().lower() == "one" and not _counts(item.text, match):
            return match.group()
        value = read(match.group())
        return f"{value:,}"

    return altered(item.text, _WORDS.sub(replaced, item.text), "no number word in it")


def say(number: int) -> str:
    """Say a whole number from 0 to 999,999.

    >>> say(21), say(305), say(40_000)
    ('twenty-one', 'three hundred five', 'forty thousand')
    """
    if number < len(_UNITS):
        return _UNITS[number]
    if number < 100:  # noqa: PLR2004 - what the tens cover
        tens, rest = divmod(number, 10)
        return f"{_TENS[tens]}-{_UNITS[rest]}" if rest else _TENS[tens]
    size, word = (1000, _THOUSAND) if number >= 1000 else (100, _HUNDRED)  # noqa: PLR2004
    count, rest = divmod(number, size)
    return f"{say(count)} {word} {say(rest)}" if rest else f"{say(count)} {word}"


def read(words: str) -> int:
    """Read a number in words, as :func:`say` and people say it.

    >>> read("a hundred and five"), read("Twenty one")
    (105, 21)
    """
    total = current = 0
    for word in re.split(r"[ \-]", words.lower()):
        if word == "and":
            continue
        if word == _HUNDRED:
            current *= 100
        elif word == _THOUSAND:
            total, current = current * 1000, 0
        else:
            current += 1 if word == "a" else _VALUES[word]
    return total + current


def _counts(text: str, one: re.Match[str]) -> bool:
    """Tell whether a lone ``one`` looks like a number: ``one dog``, not ``the red one``."""
    before = re.search(r"([\w'\u2019]+)\W*$", text[: one.start()])
    after = re.match(r"\s+([\w'\u2019]+)", text[one.end() :])
    if after is None or after.group(1).lower() in _ONE_BEFORE:
        return False
    return before is None or before.group(1).lower() in _ONE_AFTER


def _begins_with_digit(text: str) -> bool:
    bare = text.lstrip()
    return bare[:1].isdigit() and bare.rstrip().endswith((".", "!", "?"))


VARIANTS = (
    Variant(
        "number-words", "text", "appearance", "Numbers in digits written as words.", number_words
    ),
    Variant("digits", "text", "appearance", "Number words written in digits.", digits),
)
