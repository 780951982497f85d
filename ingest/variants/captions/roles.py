"""Who does what to whom, turned round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.variants.base import Inapplicable, Variant
from ingest.variants.captions.inflection import FIRST_PERSON, OBJECTS, SUBJECTS, agreeing
from ingest.variants.captions.phrases import Phrase, is_finite, joined_phrases, main_verb
from ingest.variants.captions.text import (
    TAGGER,
    altered,
    begins_with_capital,
    capitalised,
    like,
    lowered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from ingest.variants.base import TextItem, Token

_BETWEEN: Final = frozenset({"ADP", "ADV", "ADJ", "PART", "NOUN"})
_VERBS: Final = frozenset({"VERB", "AUX"})


def subject_object_swap(item: TextItem, _: np.random.Generator) -> str:
    """Let the subject and the object of a verb change places: ``A dog chases a cat`` to ``A cat chases a dog``.

    The verb is the main clause's first, or else the first that has both: a participle (``a man riding a wave``), or a
    form of be when no other verb has. Its subject is the last noun phrase before it that no preposition stands
    before; its object the first one after it, that of a preposition if it takes one (``sits on a couch``), with
    nothing but adverbs, adjectives and prepositions in between. A finite verb comes to agree with its new
    subject, and personal pronouns change case. Phrases that ``and`` or ``of`` joins move as one.
    """
    tokens = item.tokens
    verbs = list(_candidates(tokens))
    if not verbs:
        raise Inapplicable("no verb in it")
    phrases = joined_phrases(tokens)
    for verb in verbs:
        subject, thing = _subject(tokens, phrases, verb), _object(tokens, phrases, verb)
        if subject is None or thing is None:
            continue
        text = _swapped(item, subject, thing)
        if text.lower() != item.text.lower():
            return altered(item.text, text, "no verb in it")
    raise Inapplicable("no verb with two different noun phrases around it")


def _candidates(tokens: Sequence[Token]) -> Iterator[int]:
    main = main_verb(tokens, frozenset({"VERB"}))
    if main is not None:
        yield main
    yield from (i for i, token in enumerate(tokens) if token.tag == "VERB" and i != main)
    yield from (i for i, token in enumerate(tokens) if token.tag == "AUX")


def _subject(tokens: Sequence[Token], phrases: Sequence[Phrase], verb: int) -> Phrase | None:
    before = [one for one in phrases if one.end <= verb]
    free = [one for one in before if not one.first or tokens[one.first - 1].tag != "ADP"]
    return free[-1] if free else None


def _object(tokens: Sequence[Token], phrases: Sequence[Phrase], verb: int) -> Phrase | None:
    after = next((one for one in phrases if one.first > verb), None)
    if after is None or any(token.tag not in _BETWEEN for token in tokens[verb + 1 : after.first]):
        return None
    return after


def _swapped(item: TextItem, subject: Phrase, thing: Phrase) -> str:
    tokens, text = item.tokens, item.text
    first, second = _span(tokens, subject), _span(tokens, thing)
    middle = text[first[1] : second[0]]
    if subject.plural != thing.plural:
        middle = _agreed(item, subject, thing, middle)
    moved = text[slice(*first)]
    if first[0] == tokens[0].start and begins_with_capital(text):
        head = tokens[subject.first].text
        moved = lowered(head, tokens[subject.first].tag) + moved[len(head) :]
    if subject.pronoun:
        moved = OBJECTS.get(moved.lower(), moved)
    coming = text[slice(*second)]
    if thing.pronoun:
        coming = SUBJECTS.get(coming.lower(), coming)
        coming = "I" if coming == "i" else coming
    after = text[: first[0]] + coming + middle + moved + text[second[1] :]
    return capitalised(after) if begins_with_capital(text) else after


def _agreed(item: TextItem, subject: Phrase, thing: Phrase, middle: str) -> str:
    """Let the first verb between subject and object agree with the object, which is to be its subject."""
    tokens = item.tokens
    at = next((i for i in range(subject.end, thing.first) if tokens[i].tag in _VERBS), None)
    if at is None or not is_finite(tokens[at]):
        return middle
    verb = agreeing(tokens[at], plural=thing.plural)
    if thing.pronoun and tokens[thing.first].text.lower() == "me":
        verb = like(verb, FIRST_PERSON.get(verb.lower(), verb))
    start = tokens[at].start - _span(tokens, subject)[1]
    return middle[:start] + verb + middle[start + len(tokens[at].text) :]


def _span(tokens: Sequence[Token], phrase: Phrase) -> tuple[int, int]:
    last = tokens[phrase.end - 1]
    return tokens[phrase.first].start, last.start + len(last.text)


VARIANTS = (
    Variant(
        "subject-object-swap",
        "text",
        "semantic",
        "Subject and object of a verb exchanged.",
        subject_object_swap,
        {"tagger": TAGGER},
        frozenset({"tagger"}),
    ),
)
