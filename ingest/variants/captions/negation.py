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
_BARE: Final = frozenset({"NOUN", "PROPN", "ADJ"})
_GIVING_WAY: Final = frozenset({"a", "an", "the", "some", "any"})


def negation(item: TextItem, _: np.random.Generator) -> str:
    """Deny what a caption says.

    1. The verb is the main clause's first finite verb or auxiliary (one that no relative word or conjunction
       precedes), or else its first participle.
    2. ``not`` follows an auxiliary: ``a dog is not running``. A finite verb is denied by ``do``: ``a dog does not
       run``, ``dogs do not run``, ``a dog did not run``. ``not`` precedes a participle: ``a man not riding a wave``.
    3. Where there is no verb, the noun phrase that begins the caption is denied: ``no dog on a couch`` in the place of
       its article (or ``some``), ``no dogs on grass`` where it has none.

    A caption that is denied already (``no``, ``not``, ``never``, ``without``, ...) cannot have this variant, nor can
    one without a verb that begins otherwise: ``no two dogs`` and ``not my dog`` say something else.
    """
    tokens = item.tokens
    if any(token.text.lower() in NEGATIVE for token in tokens):
        raise Inapplicable("it is negated already")
    verb = main_verb(tokens, _VERBS)
    edits = {verb: _denied(tokens[verb])} if verb is not None else _denied_phrase(item)
    return altered(item.text, rewritten(item, edits), "nothing in it to deny")


def _denied(verb: Token) -> str:
    if verb.tag == "AUX" and not verb.text.lower().endswith("ing"):
        return f"{verb.text} {like(verb.text, 'not') if verb.text.isupper() else 'not'}"
    if (
        not is_finite(verb) and verb.form != "infinitive"
    ):  # without to, that is a finite form taken for one
        return f"{like(verb.text, 'not')} {_uncapitalised(verb)}"
    lemma = verb.lemma.lower()
    did = "do" if verb.text.lower() == lemma else "did"
    does = "does" if is_third_person(verb) else did
    return like(verb.text, f"{does} not {lemma}")


def _denied_phrase(item: TextItem) -> dict[int, str]:
    phrases = noun_phrases(item.tokens)
    if not phrases:
        raise Inapplicable("no verb and no noun in it")
    token, after = item.tokens[0], item.tokens[1].tag if item.tokens[1:] else ""
    stays = {"DET", "PUNCT"} if token.text.lower() in {"a", "an"} else {"DET", "PUNCT", "NUM"}
    if token.text.lower() in _GIVING_WAY and after not in stays:  # not "a few", "the two"
        return {0: like(token.text, "no") if len(token.text) > 1 else _no(item, token)}
    if phrases[0].first or token.tag not in _BARE:
        raise Inapplicable("no verb in it, and no phrase at its beginning that takes a no")
    first = lowered(token.text, token.tag) if begins_with_capital(item.text) else token.text
    return {0: f"{_no(item, token)} {first}"}


def _no(item: TextItem, token: Token) -> str:
    """Write ``no`` as the caption is written: in capitals throughout, or small."""
    loud = token.text.isupper() and not any(map(str.islower, item.text))
    return "NO" if loud else "no"


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
