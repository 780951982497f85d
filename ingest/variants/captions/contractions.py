"""Contractions made and written out: ``it is``, ``it's``."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.variants.base import Variant
from ingest.variants.captions.text import altered, like

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from ingest.variants.base import TextItem

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "contractions.toml").read_text(encoding="utf-8")
)
_NOT: Final[dict[str, str]] = _TABLE["not"]
_STEMS: Final = {stem: verb for verb, stem in _NOT.items()}
_ENDING: Final[dict[str, str]] = _TABLE["ending"]
_PRONOUNS: Final = {verb: words.split() for verb, words in _TABLE["pronouns"].items()}
_BEEN: Final = {verb: (end, words.split()) for verb, (end, words) in _TABLE["been"].items()}
_ASKED: Final = "i|you|he|she|it|we|they|this|that|there"
_GAP: Final = r"[ \t]+"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _any(words: Iterable[str]) -> str:
    """Match words in small letters or capitals of ASCII alone, so that each is found in the table again."""
    return f"(?ai:{'|'.join(sorted(words))})"


_VERB_NOT = _pattern(rf"\b({_any(_NOT)}){_GAP}(not)\b|\b(can)(not)\b")
_PRONOUN_VERB = {
    verb: _pattern(rf"(?<![\w'\u2019])({_any(_PRONOUNS[verb])}){_GAP}({_any([verb])})(?=\s+\w)")
    for verb in _ENDING
}
_PRONOUN_BEEN = {
    verb: _pattern(rf"(?<![\w'\u2019])({_any(words)}){_GAP}({_any([verb])})(?=\s+been\b)")
    for verb, (_, words) in _BEEN.items()
}
_STEM_NOT = _pattern(rf"\b({_any(_STEMS)})(n['\u2019]t)\b(?!\s+(?:{_ASKED})\b)")
_PRONOUN_END = _pattern(
    rf"(?<![\w'\u2019])({_any({word for words in _PRONOUNS.values() for word in words})})"
    r"(['\u2019](?ai:s|m|re|ll|ve))(?=(?:\s+(been|got)\b)?)(?!\w)"
)
_LET_US = _pattern(rf"\b(let){_GAP}(us)\b(?=\s+\w)")
_LETS = _pattern(r"\b(let)(['\u2019]s)\b")
_WRITTEN_OUT: Final = {"s": "is", "m": "am", "re": "are", "ll": "will", "ve": "have"}


def contraction(item: TextItem, _: np.random.Generator) -> str:
    """Contract what English contracts: ``do not`` to ``don't``, ``it is`` to ``it's``, ``let us`` to ``let's``.

    A pronoun and its verb only where a word follows (not ``where it is.``), and ``have`` only before ``been``, as it
    may be the main verb elsewhere. Nouns are left: ``the dog is`` would come to look like a possessive.
    """
    text = _VERB_NOT.sub(_contract_not, item.text)
    for verb, pattern in _PRONOUN_VERB.items():
        text = pattern.sub(partial(_joined, end=_ENDING[verb]), text)
    for verb, pattern in _PRONOUN_BEEN.items():
        text = pattern.sub(partial(_joined, end=_BEEN[verb][0]), text)
    text = _LET_US.sub(partial(_joined, end="'s"), text)
    return altered(item.text, text, "nothing to contract in it")


def expansion(item: TextItem, _: np.random.Generator) -> str:
    """Write contractions out: ``isn't`` as ``is not``, ``it's`` as ``it is`` (before ``been`` and ``got``: ``it has``).

    Left are ``'d``, which may be had or would, ``'s`` after a noun, which may be a possessive, and questions
    (``isn't it``).
    """
    text = _STEM_NOT.sub(_expand_not, item.text)
    text = _PRONOUN_END.sub(_expand_end, text)
    text = _LETS.sub(lambda m: f"{m.group(1)} {_cased(m.group(2), 'us')}", text)
    return altered(item.text, text, "no contraction in it")


def _contract_not(match: re.Match[str]) -> str:
    verb, negation = (group for group in match.groups() if group)
    return like(verb, _NOT[verb.lower()]) + _cased(negation, "n't")


def _joined(match: re.Match[str], end: str) -> str:
    return match.group(1) + _cased(match.group(2), end)


def _expand_not(match: re.Match[str]) -> str:
    verb = like(match.group(1), _STEMS[match.group(1).lower()])
    gap = "" if verb.lower() == "can" else " "
    return verb + gap + _cased(match.group(2), "not")


def _expand_end(match: re.Match[str]) -> str:
    pronoun, end, after = match.groups()
    verb = "has" if after and end[1:].lower() == "s" else _WRITTEN_OUT[end[1:].lower()]
    return f"{pronoun} {_cased(end, verb)}"


def _cased(model: str, text: str) -> str:
    return text.upper() if model.isupper() else text


VARIANTS = (
    Variant(
        "contraction",
        "text",
        "appearance",
        "Shortened: do not to don't, it is to it's.",
        contraction,
    ),
    Variant(
        "expansion", "text", "appearance", "Written out: don't to do not, it's to it is.", expansion
    ),
)
