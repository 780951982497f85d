"""Cutting captions into words: what is one word, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.variants.taggers.words import cut

PIECES = st.sampled_from(
    ["dog", "isn't", "it\u2019s", "...", "«", "(", ")", "/", "👨‍👩‍👧", "3️⃣", "1,000", "7:30", "שלום", "हिन्दी", " ", "\t",
     "\u00a0", "\n", "U.S.", "-", "'", ".", "\u200f", "e\u0301", "\0"]
)  # fmt: skip
HOSTILE = st.one_of(st.text(), st.lists(PIECES).map("".join))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog isn't here.", "A|dog|is|n't|here|."),
        ("The man's dogs' beds, it\u2019s said", "The|man|'s|dogs|'|beds|,|it|\u2019s|said"),
        ("the man 's dog is n\u2019t 'small'", "the|man|'s|dog|is|n\u2019t|'|small|'"),
        ("can't won't I'm we'll", "ca|n't|wo|n't|I|'m|we|'ll"),
        ("(a well-worn, cat/dog)...", "(|a|well-worn|,|cat|/|dog|)|..."),
        ("$5 at 7:30 for 1,000 or 2.5 in the U.S.", "$|5|at|7:30|for|1,000|or|2.5|in|the|U.S."),
        ("Mr. Fox ran.The end", "Mr.|Fox|ran|.|The|end"),
        ("Dogs!! 👨‍👩‍👧👍🏽 3️⃣", "Dogs|!!|👨‍👩‍👧👍🏽|3️⃣"),
        ("हिन्दी e\u0301te\u0301", "हिन्दी|e\u0301te\u0301"),
        (" \t\n", ""),
    ],
)
def test_what_is_a_word(text: str, words: str) -> None:
    assert [word.text for word in cut(text)] == (words.split("|") if words else [])


@given(HOSTILE)
def test_words_and_the_white_space_between_them_are_the_text(text: str) -> None:
    words = cut(text)
    gaps, end = [], 0
    for word in words:
        assert word.text
        assert text[word.start : word.start + len(word.text)] == word.text
        gaps.append(text[end : word.start])
        end = word.start + len(word.text)
    gaps.append(text[end:])
    assert not "".join(gaps).strip()
    joined = "".join(gap + word.text for gap, word in zip(gaps, words, strict=False)) + gaps[-1]
    assert joined == text
