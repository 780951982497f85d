"""The tagger of the invented language: exact, since its lexicon says what each word is."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.demo.lexicon import DOES, NAMES, SYNONYMS
from ingest.variants.base import Token
from ingest.variants.taggers import Tagger
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VERSION: Final = "1"  # raised when the language or tags.toml gives other tokens


def load(argument: str) -> Tagger:
    """Make the tagger of the invented language.

    Raises
    ------
    InputError
        ``argument`` is not empty.
    """
    if argument:
        raise InputError(f"the tagger 'demo' knows one language: write demo, not demo:{argument}")
    return DemoTagger()


class DemoTagger(Tagger):
    """Tags what the demo world says. The two words of a name are two nouns; a word it does not know is ``X``."""

    def __init__(self) -> None:
        self.name = "demo"
        self.version = _VERSION

    def tag(self, text: str) -> tuple[Token, ...]:
        """Return the words and marks of a text, in order; what lies between them is white space."""
        found = list(re.finditer(r"[.,]|[^\s.,]+", text))
        tags = _tags([match.group() for match in found])
        return tuple(
            _token(match.group(), tag, match.start())
            for match, tag in zip(found, tags, strict=True)
        )


def _token(word: str, tag: str, start: int) -> Token:
    if tag == "AUX":
        return Token(word, tag, "be", start, form="finite")
    if tag == "VERB":
        return Token(word, tag, _verbs().get(word, word), start, form="finite")
    return Token(word, tag, word, start)


def _tags(words: Sequence[str]) -> Iterator[str]:
    """Tag words: at each the longest phrase that is known, a name before others."""
    known, longest = _phrases()
    at = 0
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            tags = ["NOUN", "NOUN"] if phrase in NAMES else known.get(phrase)
            if tags:
                break
        else:
            length, tags = 1, ["PUNCT" if words[at] in {".", ","} else "X"]
        yield from tags
        at += length


@cache
def _phrases() -> tuple[dict[str, list[str]], int]:
    """Return the tags of each phrase, and the number of words of the longest."""
    table: dict[str, Any] = tomllib.loads(
        (Path(__file__).parent / "tags.toml").read_text(encoding="utf-8")
    )
    known = {phrase: tags.split() for phrase, tags in (table["words"] | table["phrases"]).items()}
    for kind in ("size", "texture", "colour"):
        known |= {word: [table["kinds"][kind]] for ways in SYNONYMS[kind].values() for word in ways}
    known |= {verb: [table["kinds"]["does"]] for verb in _verbs()}
    return known, max(len(tags) for tags in known.values())


@cache
def _verbs() -> dict[str, str]:
    """Map each verb, which the language knows in the third person, to its dictionary form."""
    verbs = {verb for kinds in DOES.values() for ways in kinds.values() for verb in ways}
    return {verb: _dictionary_form(verb) for verb in verbs}


def _dictionary_form(verb: str) -> str:
    if re.search(r"(ch|sh|ss|x)es$", verb):
        return verb.removesuffix("es")
    return re.sub(r"ies$", "y", verb) if verb.endswith("ies") else verb.removesuffix("s")
