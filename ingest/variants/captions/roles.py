"""Who does what to whom, turned round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.variants.base import Inapplicable, Variant
from ingest.variants.captions.inflection import FIRST_PERSON, OBJECTS, SUBJECTS, agreeing
from ingest.variants.captions.phrases import (
    RELATIVE,
    Phrase,
    is_finite,
    joined_phrases,
    main_verb,
    noun_phrases,
)
from ingest.variants.captions.text import (
    TAGGER,
    altered,
    begins_with_capital,
    capitalised,
    is_mark,
    like,
    lowered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from ingest.variants.base import TextItem, Token

_BETWEEN: Final = frozenset({"ADP", "ADV", "ADJ", "PART", "NOUN"})
_VERBS: Final = frozenset({"VERB", "AUX"})
_WITH_VERB: Final = frozenset({"AUX", "ADV", "PART"})
_GOVERNS: Final = frozenset({"ADP", "VERB"})


def subject_object_swap(item: TextItem, _: np.random.Generator) -> str:
    """Let the subject and the object of a verb change places: ``A dog chases a cat`` to ``A cat chases a dog``.

    The verb is the main clause's first, or else the first that has both: a participle (``a man riding a wave``), or a
    form of be when no other verb has. Its subject is the first noun phrase of its clause that neither a preposition
    nor a verb stands before, with what describes it: phrases with a preposition (``a group of men in hats``) and,
    before a finite verb, participles (``a man wearing a hat rides a bike``). Its object is the first noun phrase after
    it, that of a preposition if it takes one (``sits on a couch``), with nothing but adverbs, adjectives and
    prepositions in between; of what follows the object, which may as well say where the whole takes place, ``of``
    alone goes along. A finite verb comes to agree with its new subject, and personal pronouns change case. Phrases
    that ``and`` joins move as one.
    """
    tokens = item.tokens
    verbs = list(_candidates(tokens))
    if not verbs:
        raise Inapplicable("no verb in it")
    phrases = joined_phrases(tokens)
    for verb in verbs:
        subject, thing = _subject(tokens, phrases, verb), _object(tokens, phrases, verb)
        if subject is None or thing is None or (thing.pronoun and not _has_person(tokens, verb)):
            continue
        text = _swapped(item, subject, thing)
        if text.lower() != item.text.lower():
            return altered(item.text, text, "no verb in it")
    raise Inapplicable("no verb with two different noun phrases around it")


def _candidates(tokens: Sequence[Token]) -> Iterator[int]:
    main = main_verb(tokens, _VERBS)
    while main is not None and tokens[main].tag in _WITH_VERB:  # "is not running"
        main = main + 1 if main + 1 < len(tokens) else None
    if main is None or tokens[main].tag != "VERB":
        main = main_verb(tokens, frozenset({"VERB"}))
    if main is not None:
        yield main
    yield from (i for i, token in enumerate(tokens) if token.tag == "VERB" and i != main)
    yield from (i for i, token in enumerate(tokens) if token.tag == "AUX")


def _subject(tokens: Sequence[Token], phrases: Sequence[Phrase], verb: int) -> Phrase | None:
    """Find the subject of a verb, with what describes it."""
    group = verb
    while group and (tokens[group - 1].tag in _WITH_VERB or _is_relative(tokens[group - 1])):
        group -= 1
    if (
        group and tokens[group - 1].tag == "CCONJ"
    ):  # "stands and holds": the subject is that of the first verb
        group -= 1
    start = next((i + 1 for i in range(group - 1, -1, -1) if _parts_clauses(tokens, i, phrases)), 0)
    there = [one for one in phrases if start <= one.first and one.end <= group]
    free = [one for one in there if not one.first or tokens[one.first - 1].tag not in _GOVERNS]
    if not free:
        return None
    subject = free[0]
    if subject.pronoun:
        return subject
    if tokens[subject.end].tag == "NUM":  # "number 12"
        return None
    end = group if _has_person(tokens, verb) else 0
    inner = tokens[subject.end : end]
    if end and not any(token.tag in _VERBS and is_finite(token) for token in inner):
        return subject._replace(end=end) if _describes(inner) else None
    for one in there[there.index(subject) + 1 :]:
        if one.first == subject.end + 1 and tokens[subject.end].tag == "ADP":
            subject = subject._replace(end=one.end)
    return subject


def _has_person(tokens: Sequence[Token], verb: int) -> bool:
    """Tell whether a verb is of a whole clause: finite, or after an auxiliary, and not after ``to``."""
    before = tokens[verb - 1] if verb else None
    if before is not None and before.text.lower() == "to":
        return False
    return is_finite(tokens[verb]) or (before is not None and before.tag in {"AUX", "ADV", "PART"})


def _parts_clauses(tokens: Sequence[Token], i: int, phrases: Sequence[Phrase]) -> bool:
    inside = any(one.first < i < one.end for one in phrases)
    return not inside and (is_mark(tokens[i]) or tokens[i].tag in {"SCONJ", "CCONJ"})


def _describes(tokens: Sequence[Token]) -> bool:
    """Tell whether what stands between a subject's noun and its verb is of the subject."""
    if any(_is_relative(token) or token.text.lower() == "what" for token in tokens):
        return False
    return not tokens or tokens[0].tag in _GOVERNS


def _is_relative(token: Token) -> bool:
    return token.tag in {"PRON", "DET", "SCONJ"} and token.text.lower() in RELATIVE


def _object(tokens: Sequence[Token], phrases: Sequence[Phrase], verb: int) -> Phrase | None:
    after = next((one for one in phrases if one.first > verb), None)
    if after is None or any(token.tag not in _BETWEEN for token in tokens[verb + 1 : after.first]):
        return None
    if after.end < len(tokens) and tokens[after.end].tag in _VERBS and is_finite(tokens[after.end]):
        # "stands on a ladder and a child climbs": what and joins to it is the next clause's subject
        return next(one for one in noun_phrases(tokens) if one.first == after.first)
    return after


def _swapped(item: TextItem, subject: Phrase, thing: Phrase) -> str:
    tokens, text = item.tokens, item.text
    first, second = _span(tokens, subject), _span(tokens, thing)
    middle = text[first[1] : second[0]]
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
