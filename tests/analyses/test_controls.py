from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from analyses import controls
from analyses.controls import bag_of_words, latent_words, mismatch, mismatches
from vdb.errors import InputError

TEXTS = [
    "A dog, a cat; a Dog!",
    "The cat sat on the mat.",
    "don't panic: 42 cats",
    "",
    "Ünïcode naïve café",
]


def test_words_are_counted_by_hand() -> None:
    bag = bag_of_words([["A dog, a cat; a Dog!"], ["the cat"]])
    # cat is in both rows; then by the alphabet: a, dog, the
    assert bag.tolist() == [[1, 3, 2, 0], [1, 0, 0, 1]]
    assert bag.dtype == np.float32


def test_counts_are_averaged_over_the_captions_of_a_row() -> None:
    bag = bag_of_words([["dog dog", "cat"], ["cat"]])
    assert bag.tolist() == [[0.5, 1], [1, 0]]


def test_the_same_counts_as_scikit_learn() -> None:
    oracle = CountVectorizer(token_pattern=r"(?u)\w+")  # noqa: S106 - a pattern of words
    expected = oracle.fit_transform(TEXTS).toarray()
    in_rows = (expected > 0).sum(axis=0)
    words = oracle.get_feature_names_out()
    order = sorted(range(len(words)), key=lambda i: (-in_rows[i], words[i]))
    assert np.array_equal(bag_of_words([[text] for text in TEXTS]), expected[:, order])


def test_the_words_of_most_rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "_MOST_WORDS", 2)
    bag = bag_of_words([["rare rare rare b a"], ["a c"], ["a b c"]])
    assert bag.tolist() == [[1, 1], [1, 0], [1, 1]]  # a in three rows, then b before c


def test_captions_without_a_word_are_refused() -> None:
    with pytest.raises(InputError, match="no word to count"):
        bag_of_words([["..."], ["?!"]])


@st.composite
def _groups(draw: st.DrawFn) -> list[str]:
    """Groups of any size, none of more than half of the rows, in any order."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=8))
    sizes.append(max(0, 2 * max(sizes) - sum(sizes)))
    rows = [str(i) for i, size in enumerate(sizes) for _ in range(size)]
    return draw(st.permutations(rows))


@given(_groups(), st.integers(0, 2**32 - 1))
def test_no_row_meets_its_own_group(groups: list[str], seed: int) -> None:
    partner = mismatch(groups, seed)
    assert sorted(partner) == list(range(len(groups)))
    assert all(groups[i] != groups[j] for i, j in enumerate(partner))


@given(_groups(), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_several_mismatches_differ_in_every_row(groups: list[str], count: int, seed: int) -> None:
    partners = mismatches(groups, count, np.random.default_rng(seed))
    sizes = [groups.count(name) for name in set(groups)]
    distinct = min(count, len(groups) - 2 * max(sizes) + 1)
    for row, theirs in enumerate(partners.T):
        assert all(groups[row] != groups[one] for one in theirs)
        assert len(set(theirs[:distinct].tolist())) == distinct


def test_the_mismatch_is_the_seed_s() -> None:
    groups = [str(i) for i in range(50)]
    assert np.array_equal(mismatch(groups, 3), mismatch(groups, 3))
    assert not np.array_equal(mismatch(groups, 3), mismatch(groups, 4))


def test_a_group_of_more_than_half_cannot_be_mismatched() -> None:
    with pytest.raises(InputError, match="3 of 5 rows share"):
        mismatch(["a", "a", "b", "a", "c"], 0)


def test_latent_words_are_scikit_learns_tf_idf_on_its_main_directions() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{i}" for i in range(90)]
    texts = [" ".join(generator.choice(words, 12)) for _ in range(70)]
    found = latent_words(bag_of_words([[text] for text in texts]))
    weighted = TfidfVectorizer().fit_transform(texts).toarray()
    assert found.shape == (70, 50)
    left, scale, _ = np.linalg.svd(weighted, full_matrices=False)
    # Directions have no sign: what each row has in common with each other row has.
    expected = (left[:, :50] * scale[:50]) @ (left[:, :50] * scale[:50]).T
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-5)
    assert np.array_equal(found, latent_words(bag_of_words([[text] for text in texts])))


@pytest.mark.parametrize("texts", [["dog"], ["dog", "dog"], ["a b", "a c"]])
def test_few_words_still_give_a_direction(texts: list[str]) -> None:
    found = latent_words(bag_of_words([[text] for text in texts]))
    assert found.shape[0] == len(texts)
    assert found.shape[1] >= 1
    assert np.isfinite(found).all()


def test_latent_words_are_the_same_again_where_directions_are_equal_or_empty() -> None:
    bag = bag_of_words([[f"word{i % 5} word0 twin{i % 5}"] for i in range(30)])
    first, again = latent_words(bag), latent_words(bag)
    assert np.array_equal(first, again)
    assert first.shape[1] == np.linalg.matrix_rank(bag)
