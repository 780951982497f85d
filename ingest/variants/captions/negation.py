"""What a caption says, denied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.variants.base import Inapplicable, Variant
from ingest.variants.captions.inflection import NEGATIVE, is_third_person
from ingest.variants.captions.phrases import is_finite, main_verb, noun_phrases
from ingest.variants.captions.text import (
    TAGGER,
    altered,
    begins_with_capital,
    like,
    lowered,
    rewritten,
)

if TYPE_CHECKING:
    import numpy as np

    from ingest.variants.base import TextItem, Token

_VERBS: Final = frozenset({"AUX", "VERB"})
_GIVING_WAY: Final = frozenset({"a", "an", "the", "some", "any"})


def negation(item: TextItem, _: np.random.Generator) -> str:
    """Deny what a caption says.

    1. The verb is the main clause's first finite verb or auxiliary (one that no relative word or conjunction
       precedes), or else its first participle.
    2. ``not`` follows an auxiliary: ``a dog is not running``. A finite verb is denied by ``do``: ``a dog does not
       run``, ``dogs do not run``, ``a dog did not run``. ``not`` precedes a participle: ``a man not riding a wave``.
    3. Where there is no verb, the first noun phrase is denied: ``no dog on a couch`` in the place of its article
       (or ``some``), ``not two dogs`` before a number, a possessive or another determiner.

    A caption that is denied already (``no``, ``not``, ``never``, ``without``, ...) cannot have this variant.
    """
    tokens = item.tokens
    if any(token.text.lower() in NEGATIVE for token in tokens):
        raise Inapplicable("it is negated already")
    verb = main_verb(tokens, _VERBS)
    edits = {verb: _denied(tokens[verb])} if verb is not None else _denied_phrase(item)
    return altered(item.text, rewritten(item, edits), "nothing in it to deny")


def _denied(verb: Token) -> str:
    if verb.tag == "AUX":
        return f"{verb.text} {like(verb.text, 'not') if verb.text.isupper() else 'not'}"
    if not is_finite(verb):
        return f"{like(verb.text, 'not')} {_uncapitalised(verb)}"
    lemma = verb.lemma.lower()
    did = "do" if verb.text.lower() == lemma else "did"
    does = "does" if is_third_person(verb) else did
    return like(verb.text, f"{does} not {lemma}")


def _denied_phrase(item: TextItem) -> dict[int, str]:
    phrases = noun_phrases(item.tokens)
    if not phrases:
        raise Inapplicable("no verb and no noun in it")
    at = phrases[0].first
    token = item.tokens[at]
    if token.tag == "DET" and token.text.lower() in _GIVING_WAY:
        return {at: like(token.text, "no") if len(token.text) > 1 else _no(item, token)}
    word = "no" if token.tag in {"NOUN", "PROPN", "ADJ"} else "not"
    first = token.text
    if at == 0 and begins_with_capital(item.text):
        first = lowered(first, token.tag)
    return {at: f"{_no(item, token, word)} {first}"}


def _no(item: TextItem, token: Token, word: str = "no") -> str:
    """Write ``no`` or ``not`` as the caption is written: in capitals throughout, or small."""
    loud = token.text.isupper() and not any(map(str.islower, item.text))
    return word.upper() if loud else word


def _uncapitalised(verb: Token) -> str:
    return verb.text if verb.text.isupper() else lowered(verb.text, verb.tag)


VARIANTS = (
    Variant(
        "negation",
        "text",
        "semantic",
        "The main verb denied, or the first noun phrase where there is none.",
        negation,
        {"tagger": TAGGER},
        frozenset({"tagger"}),
    ),
)
