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
_ARTICLES: Final = frozenset({"a", "an", "the"})
_DESCRIBES: Final = frozenset({"ADJ", "NUM"})
RELATIVE: Final = frozenset({"who", "which", "that", "whom", "whose"})
"""Words that begin a relative clause, where they are no articles."""


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

    Adjectives or numbers that a conjunction or comma joins are of one phrase (``a black and white dog``, ``two or three
    men``), and so is what stands between an article and its noun (``a very old car``, ``a smiling woman``). A new
    article or possessive begins a new phrase; ``the man's dog`` is one. A personal pronoun alone is one too.
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

    Finite verbs come before participles (``a man riding a wave waves``); those in a noun phrase (``a parked car``) and
    those after ``to`` do not count.
    """
    inside = {i for one in noun_phrases(tokens) for i in range(one.first, one.end)}
    verbs = [
        i
        for i, token in enumerate(tokens)
        if token.tag in tags and i not in inside and tokens[i - 1 if i else 0].text.lower() != "to"
    ]
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
        if head is None and i > first and _goes_on(tokens, i):
            i += 1
            continue
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


def _goes_on(tokens: Sequence[Token], i: int) -> bool:
    """Tell whether a token that begins no phrase goes on with one: it joins two, says how, or is a participle."""
    token, before = tokens[i], tokens[i - 1]
    after = tokens[i + 1].tag if i + 1 < len(tokens) else ""
    opened = before.tag == "DET" or before.text.lower() in _ARTICLES | _POSSESSIVES
    if _joins(token):
        sides = (range(i - 1, -1, -1), range(i + 1, len(tokens)))
        tags = [next((tokens[j].tag for j in side if not _joins(tokens[j])), "") for side in sides]
        return tags[0] in _DESCRIBES and tags[0] == tags[1]
    if token.tag == "DET":  # "a few"
        return before.text.lower() in _ARTICLES and token.text.lower() not in _ARTICLES
    if token.tag == "ADV":
        return before.tag == after == "ADJ" or (opened and after in {"ADJ", "VERB", *NOUNS})
    if token.tag != "VERB" or after not in {"ADJ", *NOUNS}:
        return False
    haired = before.tag in {"ADJ", "ADV"} and token.text.lower().endswith("ed")
    return haired or (opened and not is_finite(token))


def _joins(token: Token) -> bool:
    return token.tag == "CCONJ" or token.text == ","


def _opens_clause(token: Token) -> bool:
    if token.tag == "SCONJ":
        return True
    return token.tag in {"PRON", "DET"} and token.text.lower() in RELATIVE
