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
            "A kite holds a group of men in hats",
        ),
        (
            "A/DET large/ADJ black/ADJ and/CCONJ white/ADJ dog/NOUN shakes/VERB:shake=f off/ADP water/NOUN",
            "Water shakes off a large black and white dog",
        ),
        (
            "A/DET man/NOUN wearing/VERB:wear=p a/DET hat/NOUN is/AUX:be=f riding/VERB:ride=p bikes/NOUN+",
            "Bikes are riding a man wearing a hat",
        ),
        (
            "A/DET man/NOUN in/ADP hats/NOUN+ stands/VERB:stand=f and/CCONJ holds/VERB:hold=f a/DET kite/NOUN",
            "A kite stands and holds a man in hats",
        ),
        (
            "A/DET man/NOUN stands/VERB:stand=f on/ADP stilts/NOUN+ and/CCONJ a/DET boy/NOUN climbs/VERB:climb=f",
            "Stilts stand on a man and a boy climbs",
        ),
        (
            "A/DET man/NOUN in/ADP a/DET hat/NOUN riding/VERB:ride=p a/DET wave/NOUN",
            "A wave riding a man in a hat",
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
        # "it" has no case of its own before a participle; "number 12" has no part that moves alone
        ("A/DET desk/NOUN standing/VERB:stand=p on/ADP it/PRON", "no verb with two different noun phrases around it"),
        ("Number/NOUN 12/NUM throws/VERB:throw=f a/DET ball/NOUN", "no verb with two different noun phrases around it"),
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
        ("dogs/NOUN+ being/AUX:be=p washed/VERB:wash=p", "dogs not being washed"),
        ("The/DET children/NOUN+ run/VERB=i", "The children do not run"),
        # neither a verb in a noun phrase nor one after to
        ("a/DET parked/VERB:park=p car/NOUN ran/VERB:run=f", "a parked car did not run"),
        ("A/DET half/DET eaten/VERB:eat=p meal/NOUN sitting/VERB:sit=p", "A half eaten meal not sitting"),
        ("A/DET dog/NOUN tries/NOUN+ to/PART run/VERB=i", "No dog tries to run"),
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
        ("A/DET slightly/ADV older/ADJ picture/NOUN", "No slightly older picture"),
        ("Some/DET big/ADJ ,/PUNCT old/ADJ dogs/NOUN+", "No big, old dogs"),
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
        # "no two dogs" and "not my dog" say something else
        (
            "Two/NUM dogs/NOUN+ on/ADP grass/NOUN",
            "no verb in it, and no phrase at its beginning .*",
        ),
        ("My/PRON dog/NOUN", "no verb in it, and no phrase at its beginning .*"),
        ("A/DET few/DET dogs/NOUN+", "no verb in it, and no phrase at its beginning .*"),
        ("Nearby/ADV a/DET dog/NOUN", "no verb in it, and no phrase at its beginning .*"),
    ],
)
def test_what_cannot_be_denied_says_so(written: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=f"^{reason}$"):
        choose("negation").apply(tagged(written))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("A/DET large/ADJ brown/ADJ and/CCONJ white/ADJ dog/NOUN", ["A large brown and white dog"]),
        ("Black/ADJ and/CCONJ white/ADJ photo/NOUN", ["Black and white photo"]),
        ("a/DET green/ADJ ,/PUNCT blue/ADJ ,/PUNCT and/CCONJ red/ADJ kite/NOUN", ["a green , blue , and red kite"]),
        ("two/NUM or/CCONJ three/NUM men/NOUN+", ["two or three men"]),
        ("a/DET very/ADV old/ADJ car/NOUN", ["a very old car"]),
        ("the/DET same/ADV door/NOUN", ["the same door"]),
        ("A/DET smiling/VERB:smile=p woman/NOUN", ["A smiling woman"]),
        ("A/DET red/ADJ haired/VERB:hair=f woman/NOUN", ["A red haired woman"]),
        ("A/DET few/DET hikers/NOUN+", ["A few hikers"]),
        # and what it is not to reach over
        ("a/DET blue/ADJ hat/NOUN and/CCONJ white/ADJ shoes/NOUN+", ["a blue hat", "white shoes"]),
        ("dogs/NOUN+ ,/PUNCT big/ADJ and/CCONJ wet/ADJ ,/PUNCT run/VERB", ["dogs"]),
        ("a/DET windsurfer/ADJ chasing/VERB=p a/DET dog/NOUN", ["a dog"]),
        ("men/NOUN+ in/ADP white/ADJ and/CCONJ a/DET dog/NOUN", ["men", "a dog"]),
    ],
)  # fmt: skip
def test_what_describes_a_noun_is_of_its_phrase(written: str, wanted: list[str]) -> None:
    tokens = tagged(written).tokens
    words = [token.text for token in tokens]
    assert [" ".join(words[one.first : one.end]) for one in noun_phrases(tokens)] == wanted


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
