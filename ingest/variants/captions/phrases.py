"""Noun phrases and verbs of a tagged caption, by their parts of speech alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.variants.captions.text import is_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.variants.base import Token

NOUNS: Final = frozenset({"NOUN", "PROPN"})
_BEFORE_NOUN: Final = frozenset({"DET", "NUM", "ADJ", "NOUN", "PROPN", "SYM", "X"})
_POSSESSIVES: Final = frozenset({"my", "your", "his", "her", "its", "our", "their", "whose"})
_ALONE: Final = frozenset(
    {"i", "you", "he", "she", "it", "we", "they", "me", "him", "her", "us", "them"}
)
_RELATIVE: Final = frozenset({"who", "which", "that", "whom", "whose"})


class Phrase(NamedTuple):
    """A noun phrase: tokens from ``first`` up to ``end``, which is not of it.

    Attributes
    ----------
    first, end : int
    plural : bool
        Of its last noun, or as two phrases are that ``and`` joins.
    pronoun : bool
    """

    first: int
    end: int
    plural: bool
    pronoun: bool = False


def noun_phrases(tokens: Sequence[Token]) -> list[Phrase]:
    """Find noun phrases: article, possessive, numbers, adjectives and nouns in a row, up to the last noun.

    A new article or possessive begins a new phrase; ``the man's dog`` is one. A personal pronoun alone is one too.
    """
    found: list[Phrase] = []
    i = 0
    while i < len(tokens):
        end, head = _reach(tokens, i)
        if head is not None:
            found.append(Phrase(i, head + 1, tokens[head].plural))
            i = head + 1
        elif tokens[i].tag == "PRON" and tokens[i].text.lower() in _ALONE:
            plural = tokens[i].text.lower() in {"we", "they", "us", "them", "you", "i", "me"}
            found.append(Phrase(i, i + 1, plural, pronoun=True))
            i += 1
        else:
            i = max(end, i + 1)
    return found


def joined_phrases(tokens: Sequence[Token]) -> list[Phrase]:
    """Find noun phrases, those joined by ``and``, ``or`` or ``of`` as one.

    A bare singular before ``of`` is no phrase but belongs to a preposition (``on top of a couch``).
    """
    found: list[Phrase] = []
    for phrase in noun_phrases(tokens):
        link = tokens[phrase.first - 1] if found and found[-1].end == phrase.first - 1 else None
        if link is not None and link.tag == "CCONJ":
            found[-1] = Phrase(found[-1].first, phrase.end, plural=True)
        elif link is not None and link.text.lower() == "of":
            bare = found[-1].end - found[-1].first == 1 and not found[-1].plural
            found[-1] = phrase if bare else found[-1]._replace(end=phrase.end)
        else:
            found.append(phrase)
    return found


def main_verb(tokens: Sequence[Token], tags: frozenset[str]) -> int | None:
    """Find the first verb of the main clause: one that no relative word or conjunction stands before, if any.

    Finite verbs come before participles (``a man riding a wave waves``).
    """
    verbs = [i for i, token in enumerate(tokens) if token.tag in tags]
    opens = [i for i, token in enumerate(tokens) if _opens_clause(token)]
    main = [i for i in verbs if not opens or i < opens[0]] or verbs
    finite = [i for i in main if is_finite(tokens[i])]
    return next(iter(finite or main), None)


def is_finite(token: Token) -> bool:
    """Tell whether a verb or auxiliary is finite; where the tagger does not say, all are but those in -ing."""
    return token.form == "finite" if token.form else not token.text.lower().endswith("ing")


def _reach(tokens: Sequence[Token], first: int) -> tuple[int, int | None]:
    """Return where a phrase beginning at ``first`` stops, and its last noun."""
    head: int | None = None
    i = first
    while i < len(tokens):
        token = tokens[i]
        opens = token.tag == "DET" or (token.tag == "PRON" and token.text.lower() in _POSSESSIVES)
        possessive = head == i - 1 and token.text.lower() in {"'s", "\u2019s", "'", "\u2019"}
        owns = possessive and token.tag == "PART"
        if (
            is_mark(token)
            or (opens and i > first)
            or not (opens or owns or token.tag in _BEFORE_NOUN)
        ):
            break
        if head is not None and not owns and tokens[i - 1].tag != "PART" and token.tag not in NOUNS:
            break  # after a noun only nouns go on, or an owner's mark
        if token.tag in NOUNS:
            head = i
        i += 1
    return i, head


def _opens_clause(token: Token) -> bool:
    if token.tag == "SCONJ":
        return True
    return token.tag in {"PRON", "DET"} and token.text.lower() in _RELATIVE
