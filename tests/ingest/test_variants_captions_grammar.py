"""Who does what to whom, and whether: swaps and negations of captions tagged by hand."""

from __future__ import annotations

import re

import pytest

from ingest.variants import Inapplicable, choose
from ingest.variants.base import TextItem, Token
from ingest.variants.captions.inflection import agreeing
from ingest.variants.captions.phrases import joined_phrases, noun_phrases

FORMS = {"f": "finite", "p": "participle", "i": "infinitive"}


def tagged(written: str) -> TextItem:
    """Read ``word/TAG:lemma``, ``+`` for a plural, ``=f``, ``=p``, ``=i`` for the form of a verb."""
    text, tokens = "", []
    for piece in written.split():
        match = re.fullmatch(r"([^/]+)/([A-Z]+)(?::([^+=]+))?(\+)?(?:=([fpi]))?", piece)
        assert match, piece
        word, tag, lemma, plural, form = match.groups()
        glued = word in {",", ".", "n't", "'s"}
        text += "" if glued or not text else " "
        plain = lemma or word.lower()
        tokens.append(Token(word, tag, plain, len(text), bool(plural), FORMS.get(form or "", "")))
        text += word
    return TextItem("c1", text, tuple(tokens))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("A/DET dog/NOUN chases/VERB:chase a/DET cat/NOUN ./PUNCT", "A cat chases a dog."),
        ("a/DET man/NOUN riding/VERB:ride a/DET wave/NOUN", "a wave riding a man"),
        ("A/DET dog/NOUN sits/VERB:sit on/ADP a/DET red/ADJ couch/NOUN", "A red couch sits on a dog"),
        # agreement: of an s, of an irregular verb, of none
        ("Two/NUM dogs/NOUN+ chase/VERB a/DET cat/NOUN", "A cat chases two dogs"),
        ("A/DET dog/NOUN carries/VERB:carry two/NUM cats/NOUN+", "Two cats carry a dog"),
        ("A/DET dog/NOUN is/AUX:be chasing/VERB:chase cats/NOUN+", "Cats are chasing a dog"),
        ("Dogs/NOUN+ can/AUX chase/VERB=i a/DET cat/NOUN", "A cat can chase dogs"),
        ("Dogs/NOUN+ chased/VERB:chase a/DET cat/NOUN", "A cat chased dogs"),
        # what is joined moves as one; what a preposition has is no subject
        (
            "A/DET man/NOUN and/CCONJ a/DET dog/NOUN watch/VERB birds/NOUN+",
            "Birds watch a man and a dog",
        ),
        (
            "A/DET group/NOUN of/ADP men/NOUN+ in/ADP hats/NOUN+ hold/VERB a/DET kite/NOUN",
            "A kite in hats hold a group of men",
        ),
        (
            "A/DET cat/NOUN sits/VERB:sit on/ADP top/NOUN of/ADP a/DET car/NOUN",
            "A car sits on top of a cat",
        ),
        # pronouns and names
        ("She/PRON holds/VERB:hold them/PRON", "They hold her"),
        ("Maria/PROPN sees/VERB:see a/DET cat/NOUN", "A cat sees Maria"),
        ("A/DET cat/NOUN is/AUX:be behind/ADP me/PRON", "I am behind a cat"),
        # no other verb than be
        ("A/DET cat/NOUN is/AUX:be on/ADP the/DET mats/NOUN+", "The mats are on a cat"),
        # the main clause comes first
        (
            "A/DET man/NOUN who/PRON eats/VERB:eat rice/NOUN sees/VERB:see a/DET dog/NOUN",
            "Rice who eats a man sees a dog",
        ),
    ],
)  # fmt: skip
def test_subject_and_object_change_places(written: str, wanted: str) -> None:
    assert choose("subject-object-swap").apply(tagged(written)) == wanted


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("A/DET dog/NOUN ./PUNCT", "no verb in it"),
        ("A/DET dog/NOUN runs/VERB:run ./PUNCT", "no verb with two different noun phrases around it"),
        ("There/PRON is/AUX:be a/DET dog/NOUN", "no verb with two different noun phrases around it"),
        ("Dogs/NOUN+ chase/VERB dogs/NOUN+", "no verb with two different noun phrases around it"),
        ("In/ADP parks/NOUN+ are/AUX:be dogs/NOUN+", "no verb with two different noun phrases around it"),
    ],
)  # fmt: skip
def test_what_has_no_subject_and_object_says_so(written: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=f"^{reason}$"):
        choose("subject-object-swap").apply(tagged(written))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("A/DET dog/NOUN is/AUX:be=f running/VERB:run=p ./PUNCT", "A dog is not running."),
        ("It/PRON 's/AUX:be=f a/DET dog/NOUN ./PUNCT", "It's not a dog."),
        ("Dogs/NOUN+ can/AUX=f swim/VERB=i", "Dogs can not swim"),
        ("A/DET dog/NOUN runs/VERB:run=f ./PUNCT", "A dog does not run."),
        ("A/DET dog/NOUN has/VERB:have=f a/DET ball/NOUN", "A dog does not have a ball"),
        ("Two/NUM dogs/NOUN+ run/VERB=f", "Two dogs do not run"),
        ("A/DET dog/NOUN ran/VERB:run=f", "A dog did not run"),
        ("Look/VERB=f at/ADP the/DET dog/NOUN", "Do not look at the dog"),
        ("a/DET man/NOUN riding/VERB:ride a/DET wave/NOUN", "a man not riding a wave"),
        ("a/DET car/NOUN parked/VERB:park=p here/ADV", "a car not parked here"),
        ("Riding/VERB:ride=p a/DET wave/NOUN ./PUNCT", "Not riding a wave."),
        # the main clause, and in it the finite verb
        (
            "A/DET man/NOUN riding/VERB:ride=p a/DET horse/NOUN waves/VERB:wave=f",
            "A man riding a horse does not wave",
        ),
        (
            "A/DET dog/NOUN sleeps/VERB:sleep=f while/SCONJ it/PRON is/AUX:be=f raining/VERB:rain=p",
            "A dog does not sleep while it is raining",
        ),
        # no verb
        ("A/DET dog/NOUN on/ADP a/DET couch/NOUN ./PUNCT", "No dog on a couch."),
        ("Some/DET dogs/NOUN+ on/ADP grass/NOUN", "No dogs on grass"),
        ("Two/NUM dogs/NOUN+ on/ADP grass/NOUN", "Not two dogs on grass"),
        ("My/PRON dog/NOUN", "Not my dog"),
        ("Dogs/NOUN+ on/ADP grass/NOUN", "No dogs on grass"),
        ("A/DET DOG/NOUN", "NO DOG"),
    ],
)  # fmt: skip
def test_what_is_said_is_denied(written: str, wanted: str) -> None:
    item = tagged(written)
    assert item.text != wanted
    assert choose("negation").apply(item) == wanted


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("A/DET dog/NOUN is/AUX n't/PART running/VERB:run", "it is negated already"),
        ("No/DET dog/NOUN", "it is negated already"),
        ("Quietly/ADV ./PUNCT", "no verb and no noun in it"),
    ],
)
def test_what_cannot_be_denied_says_so(written: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=f"^{reason}$"):
        choose("negation").apply(tagged(written))


def test_noun_phrases() -> None:
    item = tagged(
        "The/DET man/NOUN 's/PART old/ADJ dogs/NOUN+ ,/PUNCT his/PRON red/ADJ hat/NOUN and/CCONJ she/PRON run/VERB "
        "up/ADP a/DET big/ADJ hill/NOUN the/DET rain/NOUN made/VERB wet/ADJ"
    )
    words = [token.text for token in item.tokens]
    assert [" ".join(words[one.first : one.end]) for one in noun_phrases(item.tokens)] == [
        "The man 's old dogs",
        "his red hat",
        "she",
        "a big hill",
        "the rain",
    ]
    assert [one.plural for one in noun_phrases(item.tokens)] == [True, False, False, False, False]
    assert "his red hat and she" in [
        " ".join(words[one.first : one.end]) for one in joined_phrases(item.tokens) if one.plural
    ]


@pytest.mark.parametrize("plural", [False, True])
@pytest.mark.parametrize(
    "verb", ["is are", "was were", "has have", "does do", "watches watch", "Flies Fly"]
)
def test_agreement_goes_both_ways_and_is_idle_where_there_is_some(verb: str, plural: bool) -> None:
    forms = verb.split()
    lemma = {"is": "be", "was": "be"}.get(forms[0], forms[1].lower())
    for form in forms:
        assert agreeing(Token(form, "VERB", lemma, 0), plural=plural) == forms[plural]
