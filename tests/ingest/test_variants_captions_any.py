"""What every variant of a caption owes, whatever the caption: hostile texts, hostile tags, real captions."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.variants import VARIANTS, Inapplicable, choose
from ingest.variants.base import TextItem, Token
from ingest.variants.taggers import find_tagger
from ingest.variants.taggers.words import cut
from ingest.variants.vocabulary import LONGEST, RARE, build

if TYPE_CHECKING:
    from ingest.variants.taggers import Tagger

COMMA = Token(",", "PUNCT", ",", 0)
NAMES_OF_VARIANTS = [name for name, one in VARIANTS.items() if one.modality == "text"]
CHOICES = [
    *NAMES_OF_VARIANTS,
    "scrambled-phrases",
    "scrambled:order=bigrams",
    "typos:rate=1.0",
]
VOCABULARY = {
    "singular": ("cat", "owl", "\U0001f408", "elk"),
    "plural": ("cats", "owls", "elks", "bees"),
    "articles": ("a", "an"),
}
ODD = """A a an THE isn't it\u2019s it is do not let us two one 2 1,000 a hundred thousand dogs dog riding rides 's n't
    İ İs \u017f i\u017f \u212a \u212ao \ufb01 \u0149 ß ǆ 😀 👨‍👩‍👧 3️⃣ שלום مرحبا हिन्दी ... . ! ? , - — “x” ( ) /
    \u200f \u202e \\ <b> ' \u2019"""
WORDS = st.sampled_from([*ODD.split(), "\0", "\u00a0", "\n", "x" * 60])
TEXTS = st.one_of(
    st.text(min_size=1, max_size=60), st.lists(WORDS, min_size=1, max_size=14).map(" ".join)
)
TAGS = [
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
]


def outcome(name: str, item: TextItem) -> str | Inapplicable:
    """Apply a variant and hold it to what every one owes: another text, or a reason in one line."""
    try:
        made = choose(name).apply(item)
    except Inapplicable as error:
        return error
    assert isinstance(made, str)
    assert made.strip()
    assert made != item.text
    return made


@pytest.mark.parametrize("name", CHOICES)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_any_text(name: str, text: str) -> None:
    item = TextItem("c1", text, find_tagger("hanta").tag(text), VOCABULARY)
    first, again = outcome(name, item), outcome(name, item)
    assert str(first) == str(again)
    assert isinstance(first, str) or re.fullmatch("[a-z].+", str(first))


@pytest.mark.parametrize("name", [name for name in CHOICES if choose(name).variant.needs])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_tags(name: str, data: st.DataObject) -> None:
    text = data.draw(TEXTS)
    tokens = tuple(
        Token(
            word.text,
            data.draw(st.sampled_from(TAGS)),
            word.text.lower(),
            word.start,
            data.draw(st.booleans()),
            data.draw(st.sampled_from(["", "finite", "participle", "infinitive"])),
        )
        for word in cut(text)
    )
    made = outcome(name, TextItem("c1", text, tokens, VOCABULARY))
    if name.startswith("scrambled") and isinstance(made, str):
        assert Counter(made.casefold()) == Counter(text.casefold())  # not a letter is lost


@pytest.mark.parametrize("name", CHOICES)
def test_ten_thousand_characters(name: str) -> None:
    text = ("The 2 dogs chase two foxes, and it is a man riding horses. It's late. " * 150)[:10_000]
    made = outcome(name, TextItem("c1", text, find_tagger("hanta").tag(text), VOCABULARY))
    assert isinstance(made, str), made


def test_every_variant_says_what_it_is() -> None:
    for name in NAMES_OF_VARIANTS:
        one = VARIANTS[name]
        assert one.kind == ("semantic" if one.needs or name == "scrambled" else "appearance")
        assert ("tagger" in one.needs) == ("tagger" in one.parameters)
        assert choose(name).name == name
    for one in VARIANTS.values():
        assert re.fullmatch(r"[A-Z0-9].*\.", one.summary), one.name  # a sentence


# ---- vocabularies


def test_a_vocabulary_counts_and_does_not_hang_on_the_order() -> None:
    texts = [
        "A dog and a dog.",
        "Two owls and an apple",
        "A tennis racket",
        "DOGS and owls",
        "A tennis racket",
        "an elk",
    ]
    made = build(texts, find_tagger("hanta"))
    assert made["singular"][:2] == ("dog", "tennis racket")  # both twice, by the alphabet
    assert set(made["singular"][2:]) == {"apple", "elk"}
    assert made["plural"] == ("owls", "dogs")
    assert made["singular_counts"] == (2, 2, 1, 1)
    assert made["plural_counts"] == (2, 1)
    assert made["articles"] == ("a", "an")
    assert build(iter(texts[::-1]), find_tagger("hanta")) == made
    assert json.loads(json.dumps(made)) == {key: list(words) for key, words in made.items()}


def test_a_vocabulary_is_bounded() -> None:
    words = ["".join(letters) for letters in product("abcdefghijk", repeat=3)]
    assert len(words) > LONGEST
    tokens = [Token(word, "NOUN", word, 0) for word in words]
    one_by_one = SimpleNamespace(tag=lambda _: [x for token in tokens for x in (token, COMMA)])
    made = build(["one text"], cast("Tagger", one_by_one))
    assert made["singular"] == tuple(words[:LONGEST])
    assert made["singular_counts"] == (1,) * LONGEST
    nothing = {"singular": (), "singular_counts": (), "plural": (), "plural_counts": ()}
    assert build([], find_tagger("demo")) == nothing | {"articles": ()}


@pytest.mark.parametrize(("others", "kept"), [(RARE - 1, True), (RARE, False)])
def test_a_noun_that_is_rare_is_left_out(others: int, kept: bool) -> None:
    made = build(["a dog"] * others + ["an elk"], find_tagger("hanta"))
    assert made["singular"] == (("dog", "elk") if kept else ("dog",))
    assert made["singular_counts"] == ((others, 1) if kept else (others,))


# ---- real captions


@pytest.fixture(scope="module")
def captions() -> dict[str, str]:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    file = Path(os.environ["VDB_REAL_DATA"]) / "coco" / "captions_300.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["annotations"]
    return {str(row["id"]): row["caption"] for row in rows}


def words_of(item: TextItem, *tags: str) -> list[str]:
    """List the words, of some parts of speech only where there are any given."""
    return [t.text for t in item.tokens if (t.tag in tags if tags else t.tag != "PUNCT")]


REASONS = {
    "no noun in it": lambda item: not words_of(item, "NOUN", "PROPN"),
    "no verb in it": lambda item: not words_of(item, "VERB"),
    "no number in digits in it": lambda item: not re.search(r"(^| )\d+( |$)", item.text),
    "no number word in it": lambda item: (
        not re.search(r"\b(two|three|four|ten)\b", item.text, re.IGNORECASE)
    ),
    "no capital letter in it": lambda item: not re.search("[A-Z]", item.text),
    "no small letter in it": lambda item: not re.search("[a-z]", item.text),
    "no punctuation in it": lambda item: not re.search(r"[.,;!?]", item.text),
    "no contraction in it": lambda item: (
        not re.search(r"\b(it's|can't|don't)\b", item.text, re.IGNORECASE)
    ),
    "nothing to contract in it": lambda item: not re.search(r"\b([Ii]t|there) is \w", item.text),
    "it is negated already": lambda item: re.search(
        r"\b(no|not|without|nothing)\b|n't", item.text, re.IGNORECASE
    ),
    "no verb in it, and no phrase at its beginning that takes a no": lambda item: (
        not re.match(r"(a|an|the|some|any)\b(?! (few|two|half)\b)", item.text, re.IGNORECASE)
    ),
    "no word in it to leave out": lambda item: not words_of(item, "DET", "ADP", "AUX"),
    "no noun phrase of two words in it": lambda item: (
        not re.search(r"\b(a|the) [a-z]+ (is|on)\b", item.text)
    ),
    "no verb with two different noun phrases around it": lambda item: words_of(item, "VERB", "AUX"),
}
"""What a reason says, checked in another way than the variants do."""


@pytest.mark.real
@pytest.mark.parametrize("name", CHOICES)
def test_every_variant_of_real_captions(name: str, captions: dict[str, str]) -> None:
    tagger = find_tagger("hanta")
    vocabulary = build(captions.values(), tagger)
    items = [TextItem(one, text, tagger.tag(text), vocabulary) for one, text in captions.items()]
    made = [(item, outcome(name, item)) for item in items]
    assert any(isinstance(after, str) for _, after in made)
    for item, after in made:
        if isinstance(after, Inapplicable):
            assert REASONS[str(after)](item), item.text
        elif name == "nouns-only":
            left = [word.strip(".!?").lower() for word in after.split()]
            nouns = [word.strip(".!?").lower() for word in words_of(item, "NOUN", "PROPN")]
            assert [word for word in left if word] == nouns
        elif name.startswith("scrambled"):
            assert sorted(after.casefold()) == sorted(item.text.casefold())
        elif name == "nouns-replaced":
            new = {word for number in ("singular", "plural") for word in vocabulary[number]}
            assert any(word in after.lower() for word in new)
