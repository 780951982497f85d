"""Variants of captions that leave alone what is said: each against what a person would write."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.variants import Inapplicable, choose
from ingest.variants.base import TextItem
from ingest.variants.captions.numbers import LARGEST, read, say
from ingest.variants.captions.typos import misspelt


def apply(name: str, text: str, item_id: str = "c1") -> str:
    made = choose(name).apply(TextItem(item_id, text))
    assert isinstance(made, str)
    return made


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("lowercase", "A Dog on TV.", "a dog on tv."),
        ("uppercase", "A dog.", "A DOG."),
        ("no-punctuation", "A well-worn dog's bed, here...", "A well-worn dog's bed here"),
        ("no-punctuation", "cat/dog (2.5 kg, 7:30) - “old”!", "cat dog 2.5 kg 7:30 old"),
        ("no-punctuation", ". A dog .", "A dog"),
        ("no-punctuation", "«chat», 犬。", "chat 犬"),
        ("number-words", "2 dogs and 21 cats", "two dogs and twenty-one cats"),
        ("number-words", "3 dogs.", "Three dogs."),
        ("number-words", "A bus with 1,000 seats, 0 taken", "A bus with one thousand seats, zero taken"),
        ("number-words", "A 2-story house, no. 7.", "A two-story house, no. seven."),
        ("digits", "Two dogs and twenty-one cats.", "2 dogs and 21 cats."),
        ("digits", "A hundred and five birds", "105 birds"),
        ("digits", "three thousand two hundred men", "3,200 men"),
        ("digits", "two two-story houses", "2 2-story houses"),
        ("digits", "One dog with one ball and the red one.", "1 dog with 1 ball and the red one."),
        ("contraction", "It is a dog that does not bark.", "It's a dog that doesn't bark."),
        ("contraction", "We will not go; you cannot", "We won't go; you can't"),
        ("contraction", "They are here and it has been fun", "They're here and it's been fun"),
        ("contraction", "LET US GO, IT IS LATE", "LET'S GO, IT'S LATE"),
        ("contraction", "Do not ask where it is.", "Don't ask where it is."),
        ("expansion", "It's a dog that doesn't bark.", "It is a dog that does not bark."),
        ("expansion", "We won't go; you can\u2019t", "We will not go; you cannot"),
        ("expansion", "It's been fun. They're here", "It has been fun. They are here"),
        ("expansion", "I'm late, LET'S go", "I am late, LET US go"),
        ("expansion", "It's the dog's bed, isn't it", "It is the dog's bed, isn't it"),
    ],
)  # fmt: skip
def test_what_comes_of_it(name: str, text: str, wanted: str) -> None:
    assert apply(name, text) == wanted


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("lowercase", "a dog", "no capital letter in it"),
        ("uppercase", "A DOG 犬", "no small letter in it"),
        ("no-punctuation", "A well-worn dog's 2.5", "no punctuation in it"),
        ("no-punctuation", "?!", "nothing but punctuation in it"),
        ("whitespace", "  ", "nothing but white space in it"),
        ("number-words", "Two dogs at 7:30, 2nd of 1984, $5, 3.5 and 10%", "no number in digits in it"),
        ("digits", "A dog and no one, someone, the one, a second", "no number word in it"),
        ("typos", "犬 a 2", "no word of two English letters or more in it"),
        ("contraction", "A dog", "nothing to contract in it"),
        ("contraction", "This is where it is.", "nothing to contract in it"),
        ("expansion", "The dog's bed", "no contraction in it"),
    ],
)  # fmt: skip
def test_what_has_nothing_to_alter_says_so(name: str, text: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=f"^{reason}$"):
        apply(name, text)


@given(st.integers(0, LARGEST))
def test_numbers_said_are_read_again(number: int) -> None:
    assert read(say(number)) == number


@given((st.integers(0, 999) | st.integers(1000, LARGEST)).filter(lambda number: number != 1))
def test_digits_undo_number_words(number: int) -> None:  # all but a lone "one", maybe a pronoun
    text = f"We saw {number:,} dogs."
    assert apply("digits", apply("number-words", text)) == text


@pytest.mark.parametrize("number", range(101))
def test_every_number_up_to_a_hundred_in_both_directions(number: int) -> None:
    words = apply("number-words", f"we saw {number} dogs")
    assert not any(map(str.isdigit, words))
    if number != 1:
        assert apply("digits", words) == f"we saw {number} dogs"


@given(st.lists(st.text("abcXYZ,.", min_size=1), min_size=1, max_size=12), st.integers(0, 99))
def test_white_space_is_only_added(words: list[str], seed: int) -> None:
    text = " ".join(words)
    made = apply(f"whitespace:seed={seed}" if seed else "whitespace", text)
    assert made.split() == words
    assert len(made) > len(text)


def test_the_rate_tells_how_many_words_are_misspelt() -> None:
    text = " ".join(["elephant"] * 4000)
    for rate in (0.05, 0.5):
        wrong = sum(word != "elephant" for word in apply(f"typos:rate={rate}", text).split())
        assert abs(wrong / 4000 - rate) < 4 * (rate * (1 - rate) / 4000) ** 0.5  # four deviations
    assert "elephant" not in apply("typos:rate=1.0", text).split()
    assert sum(word != "elephant" for word in apply("typos:rate=0", text).split()) == 1


@given(st.text("abcdefgXYZ", min_size=2, max_size=12), st.integers(0, 2**32))
def test_a_misspelt_word_is_one_slip_away(word: str, seed: int) -> None:
    wrong = misspelt(word, np.random.default_rng(seed))
    assert wrong != word
    if len(wrong) == len(word):
        differ = [i for i, (a, b) in enumerate(zip(word, wrong, strict=True)) if a != b]
        swapped = len(differ) == 2 and differ[1] - differ[0] == 1
        assert len(differ) == 1 or (swapped and sorted(word) == sorted(wrong))
    else:
        longer, shorter = sorted((word, wrong), key=len, reverse=True)
        assert any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
