"""What the variants of captions share: words and their places, capitals, the mark at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.variants.base import Inapplicable
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.variants.base import TextItem, Token

TAGGER: Final = Parameter("auto", "what tells parts of speech: auto, hanta, spacy, spacy:MODEL")
"""The parameter of every variant that needs a tagger (``apply`` itself is handed tokens)."""

_ARTICLE: Final = frozenset({"a", "an"})
_SPOKEN_U = re.compile(r"(uni(?!n|m)|u[bst][aeiou]|eu|ew|one|once|u\b)", re.IGNORECASE)
_SILENT_H = re.compile(r"(hour|hono|honest|heir)", re.IGNORECASE)


class Unit(NamedTuple):
    """Words that no white space or mark parts: a word, or a contraction such as ``isn't``.

    Attributes
    ----------
    start, stop : int
        Of the text.
    first : int
        Index of the first token.
    """

    start: int
    stop: int
    first: int


def altered(before: str, after: str, reason: str) -> str:
    """Return ``after`` if it is a text and another one than ``before``.

    Raises
    ------
    Inapplicable
        It is not: for ``reason``.
    """
    if not after.strip() or after == before:
        raise Inapplicable(reason)
    return after


def is_mark(token: Token) -> bool:
    """Tell whether a token is no word."""
    return token.tag == "PUNCT"


def units(item: TextItem) -> list[Unit]:
    """List the words of a caption, contractions whole."""
    found: list[Unit] = []
    for i, token in enumerate(item.tokens):
        if is_mark(token):
            continue
        stop = token.start + len(token.text)
        if found and found[-1].stop == token.start:
            found[-1] = found[-1]._replace(stop=stop)
        else:
            found.append(Unit(token.start, stop, i))
    return found


def begins_with_capital(text: str) -> bool:
    """Tell whether a text begins as a sentence does: a capital first, but not capitals throughout."""
    first = next((char for char in text if char.isalpha()), "")
    return first.isupper() and any(map(str.islower, text))


def lowered(text: str, tag: str) -> str:
    """Take away the capital that a word has for standing first; names, ``I`` and ``TV`` keep theirs."""
    small = text[:1].lower()
    if tag == "PROPN" or text == "I" or text[:2] in {"I'", "I\u2019"} or small.upper() != text[:1]:
        return text
    return text if any(map(str.isupper, text[1:])) else small + text[1:]


def capitalised(text: str) -> str:
    """Make the first letter a capital, unless that would make it two."""
    for i, char in enumerate(text):
        if char.isalpha():
            capital = char.upper()
            return text[:i] + capital + text[i + 1 :] if len(capital) == 1 else text
        if char.isalnum():
            break
    return text


def like(model: str, word: str) -> str:
    """Write a word with the capitals of another one: ``DOG``, ``Dog``, ``dog``."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return capitalised(word) if model[:1].isupper() else word


def sentence(item: TextItem, kept: Sequence[int]) -> str:
    """Join some of the tokens by spaces, beginning and ending as the caption does."""
    tokens = item.tokens
    capital = begins_with_capital(item.text)
    first = next((i for i, token in enumerate(tokens) if not is_mark(token)), -1)
    words = [
        lowered(tokens[i].text, tokens[i].tag) if capital and i == first else tokens[i].text
        for i in kept
    ]
    text = " ".join(words)
    return (capitalised(text) if capital else text) + final_mark(item.text)


def final_mark(text: str) -> str:
    """Return the mark that ends a caption with the white space before it; empty where there is none."""
    bare = text.rstrip()
    return bare[len(bare.rstrip(".!?…")) :] if bare.rstrip(".!?…").strip() else ""


def rewritten(item: TextItem, edits: Mapping[int, str], *, mend: bool = True) -> str:
    """Write a caption with some tokens replaced, an empty one together with the white space before it.

    Where the caption begins with a capital, so does the outcome. With ``mend``, ``a`` and ``an`` are chosen anew
    where the word after them is another one.
    """
    texts = [edits.get(i, token.text) for i, token in enumerate(item.tokens)]
    for i, token in enumerate(item.tokens[:-1] if mend else ()):
        if token.text.lower() in _ARTICLE and i + 1 in edits and i not in edits and texts[i + 1]:
            texts[i] = like(token.text, article_before(texts[i + 1]))
    pieces: list[str] = []
    end = 0
    for token, text in zip(item.tokens, texts, strict=True):
        if text:
            pieces += [item.text[end : token.start], text]
        end = token.start + len(token.text)
    whole = "".join([*pieces, item.text[end:]])
    if item.tokens and texts[0] == "":
        whole = whole.lstrip()
    return capitalised(whole) if begins_with_capital(item.text) else whole


def article_before(word: str) -> str:
    """Return ``a`` or ``an`` by how a word is spoken.

    >>> [article_before(word) for word in ("dog", "apple", "hour", "unicorn", "uninvited")]
    ['a', 'an', 'an', 'a', 'an']
    """
    if _SILENT_H.match(word):
        return "an"
    return "an" if word[:1].lower() in set("aeiou") and not _SPOKEN_U.match(word) else "a"
