"""Variants of captions that alter what is said: each on captions tagged by hand."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from ingest.variants import Inapplicable, choose
from ingest.variants.base import TextItem, Token

VOCABULARY = {
    "singular": ("cat", "owl", "fire hydrant", "dog", "tree"),
    "plural": ("owls", "hats", "dogs"),
    "articles": ("a", "an"),
}
PARK = "A/DET big/ADJ dog/NOUN is/AUX:be chasing/VERB:chase two/NUM small/ADJ cats/NOUN+ in/ADP Paris/PROPN ./PUNCT"
NO_NOUN = "It/PRON is/AUX raining/VERB ./PUNCT"


def tagged(written: str, item_id: str = "c1") -> TextItem:
    """Read ``word/TAG:lemma``, ``+`` for a plural; marks and the ends of contractions follow without a space."""
    text, tokens = "", []
    for piece in written.split():
        match = re.fullmatch(r"(.+)/([A-Z]+)(?::([^+]+))?(\+)?", piece)
        assert match
        word, tag, lemma, plural = match.groups()
        glued = word in {",", ".", "...", "n't", "'s"}
        text += "" if glued or not text else " "
        tokens.append(Token(word, tag, lemma or word.lower(), len(text), plural=bool(plural)))
        text += word
    return TextItem(item_id, text, tuple(tokens), VOCABULARY)


def apply(name: str, written: str, item_id: str = "c1") -> str:
    made = choose(name).apply(tagged(written, item_id))
    assert isinstance(made, str)
    return made


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("nouns-only", "Dog cats Paris."),
        ("nouns-verbs", "Dog chasing cats Paris."),
        ("nouns-adjectives", "Big dog small cats Paris."),
        ("verbs-only", "Chasing."),
        ("no-function-words", "Big dog chasing two small cats Paris."),
    ],
)
def test_parts_of_speech_are_kept(name: str, wanted: str) -> None:
    assert apply(name, PARK) == wanted


def test_capital_and_final_mark_are_those_of_the_caption() -> None:
    assert apply("nouns-only", "two/NUM dogs/NOUN+ ,/PUNCT a/DET cat/NOUN") == "dogs cat"
    assert apply("nouns-only", "Dogs/NOUN+ on/ADP TV/NOUN .../PUNCT") == "Dogs TV..."
    assert apply("nouns-only", "A/DET DOG/NOUN ./PUNCT") == "DOG."
    assert apply("verbs-only", "Paris/PROPN shines/VERB ./PUNCT") == "Shines."


@pytest.mark.parametrize(
    ("name", "written", "reason"),
    [
        ("nouns-only", NO_NOUN, "no noun in it"),
        ("nouns-only", "dogs/NOUN+ ,/PUNCT cats/NOUN+", "no word in it to leave out"),
        ("verbs-only", "A/DET dog/NOUN ./PUNCT", "no verb in it"),
        ("no-function-words", "Red/ADJ dogs/NOUN+ ./PUNCT", "no word in it to leave out"),
        ("no-function-words", "of/ADP the/DET", "no content word in it"),
        ("scrambled", "Dog/NOUN ./PUNCT", "a single word"),
        ("scrambled", "./PUNCT", "no word in it"),
        ("scrambled", "dog/NOUN dog/NOUN", "any order of its words reads the same"),
        ("scrambled", "A/DET a/DET", "any order of its words reads the same"),
        ("scrambled:order=bigrams", "a/DET dog/NOUN", "only two words, which are one pair"),
        ("scrambled-phrases", NO_NOUN, "no noun phrase of two words in it"),
        ("nouns-replaced", NO_NOUN, "no noun in it"),
        ("nouns-replaced", "owls/NOUN+ hats/NOUN+ ,/PUNCT dogs/NOUN+", "its data set has no other plural noun"),
    ],
)  # fmt: skip
def test_what_has_nothing_to_alter_says_so(name: str, written: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=f"^{reason}$"):
        apply(name, written)


# ---- word order


def bare(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


@pytest.mark.parametrize("name", ["scrambled", "scrambled:order=bigrams", "scrambled-phrases"])
def test_a_scramble_keeps_every_word_and_the_shape_of_the_sentence(name: str) -> None:
    written = PARK.replace(
        "Paris/PROPN", "Paris/PROPN ,/PUNCT isn/AUX n't/PART it/PRON Bo/PROPN 's/PART"
    )
    before = tagged(written).text
    for index in range(200):
        after = apply(name, written, str(index))
        assert after != before
        assert Counter(bare(after)) == Counter(bare(before))
        assert after[0].isupper()
        assert after.endswith(".")
        assert after.count(",") == 1
        assert "isnn't" in after.lower()  # a contraction moves whole
        assert "Bo's" in after
        assert "Paris" in after  # it does not stand first
        assert "A " not in after[1:]  # what had its capital for standing first loses it


def test_all_orders_of_three_words_are_drawn_but_the_one_that_was() -> None:
    written = "red/ADJ dogs/NOUN run/VERB"
    seen = Counter(apply("scrambled", written, str(index)) for index in range(1000))
    assert len(seen) == 5
    assert "red dogs run" not in seen
    assert (
        min(seen.values()) > 200 - 4 * (1000 * 0.2 * 0.8) ** 0.5
    )  # uniform within four deviations


def test_scrambling_within_phrases_moves_no_word_out_of_its_phrase() -> None:
    places = [{"a", "big", "dog"}] * 3 + [{"is"}, {"chasing"}] + [{"two", "small", "cats"}] * 3
    for index in range(100):
        words = bare(apply("scrambled-phrases", PARK, str(index)))
        assert all(word in place for word, place in zip(words[:8], places, strict=True))
        assert words[8:] == ["in", "paris"]


@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_pairs_stay_neighbours(n: int) -> None:
    words = [f"w{i}" for i in range(n)]
    offsets = set()
    for index in range(100):
        after = apply("scrambled:order=bigrams", " ".join(f"{w}/NOUN" for w in words), str(index))
        there = set(pairwise(after.split()))
        kept = [
            all(pair in there for pair in zip(words[o::2], words[o + 1 :: 2], strict=False))
            for o in (0, 1)
        ]
        assert any(kept)
        offsets |= {offset for offset in (0, 1) if kept == [offset == 0, offset == 1]}
    assert (
        offsets == {0, 1} or n == 3
    )  # three words: one pair, and either word may be the single one


def test_the_seed_and_the_id_decide_and_nothing_else() -> None:
    assert apply("scrambled", PARK, "x") == apply("scrambled", PARK, "x")
    assert len({apply("scrambled", PARK, str(index)) for index in range(20)}) > 15
    assert len({apply(f"scrambled:seed={seed}", PARK) for seed in range(1, 21)}) > 15


# ---- nouns


def test_nouns_make_way_for_others_of_the_same_number() -> None:
    for index in range(100):
        after = apply("nouns-replaced", PARK, str(index))
        match = re.fullmatch(r"A big (.+) is chasing two small (.+) in Paris\.", after)
        assert match, after
        assert match[1] in {"cat", "owl", "fire hydrant", "tree"}  # not "dog", which it was
        assert match[2] in {"owls", "hats", "dogs"} - {match[1]}


def test_an_article_follows_the_new_noun() -> None:
    seen = {apply("nouns-replaced", "A/DET cat/NOUN ./PUNCT", str(index)) for index in range(100)}
    assert seen == {"An owl.", "A dog.", "A tree."}
    item = tagged("a/DET cat/NOUN")
    without = TextItem(
        "c1", item.text, item.tokens, VOCABULARY | {"singular": ("owl",), "articles": ("a",)}
    )
    assert choose("nouns-replaced").apply(without) == "a owl"


def drawn(written: str, vocabulary: dict[str, tuple[Any, ...]], times: int = 4000) -> Counter[str]:
    item = tagged(written)
    chosen = choose("nouns-replaced")
    return Counter(
        str(chosen.apply(TextItem(str(i), item.text, item.tokens, vocabulary)))
        for i in range(times)
    )


def test_a_noun_comes_in_as_often_as_the_data_set_has_it() -> None:
    words = {"singular": ("cat", "dog", "elk"), "singular_counts": (9, 6, 2)}
    seen = drawn("cat/NOUN", words)  # cat itself cannot come in
    assert seen.keys() == {"dog", "elk"}
    assert abs(seen["dog"] - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5
    alike = drawn("cat/NOUN", {"singular": words["singular"]})  # words without counts
    assert abs(alike["dog"] - 2000) < 4 * (4000 * 0.5 * 0.5) ** 0.5


def test_a_single_word_makes_way_for_one_and_nouns_in_a_row_for_any() -> None:
    words = {"singular": ("fire hydrant", "dog"), "singular_counts": (1, 1)}
    assert set(drawn("cat/NOUN", words, 100)) == {"dog"}
    assert set(drawn("bus/NOUN stop/NOUN", words, 100)) == {"dog", "fire hydrant"}
    assert set(drawn("dog/NOUN", words, 100)) == {"fire hydrant"}  # there is no other


def test_a_noun_that_says_where_stays() -> None:
    written = "Dogs/NOUN+ in/ADP front/NOUN of/ADP the/DET back/NOUN of/ADP a/DET car/NOUN"
    for index in range(20):
        after = apply("nouns-replaced", written, str(index))
        assert re.fullmatch(r"(Owls|Hats) in front of the (?!back).+ of an? (?!car).+", after)


def test_nouns_in_a_row_are_one_and_the_same_noun_is_replaced_alike() -> None:
    written = "Fire/NOUN hydrant/NOUN by/ADP a/DET fire/NOUN hydrant/NOUN ,/PUNCT DOGS/NOUN:dog+"
    for index in range(50):
        after = apply("nouns-replaced", written, str(index))
        match = re.fullmatch(r"(\w+) by an? (\w+), (OWLS|HATS)", after)
        assert match, after
        assert match[1] == match[2].capitalize()
        assert match[1] in {"Cat", "Owl", "Tree"}  # a "dog" is there already
