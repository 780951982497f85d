"""Variants of captions: one tagging for all of a caption, words of a data set that stay what they were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import ingest.pipeline.defining
import ingest.variants.taggers
from ingest.encoders import Prepared
from ingest.pipeline.extract import ingest as run
from ingest.pipeline.wanted import wanted_variants
from ingest.showing import show
from ingest.variants import Inapplicable, Variant, all_variants
from ingest.variants.base import Token
from ingest.variants.taggers import Tagger
from vdb import items
from vdb.errors import InputError, NotFoundError
from vdb.recipe import Layer, Recipe
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.variants.base import TextItem
    from ingest.variants.naming import Chosen
    from vdb.database import Database

ITEMS = 30
NOUNS = {"dog", "cat", "bird"}
TAGGER = Parameter("plain", "which tagger")


class Letters:
    """Counts of a text's letters, and how long the texts were that it was given."""

    def __init__(self, longest: int = 1_000) -> None:
        self.longest = longest
        self.recipe = Recipe(
            model="letters",
            library="test",
            source="test/letters",
            revision="1",
            weights="pretrained",
            modality="text",
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=(Layer("only", 27, 1.0),),
        )

    def prepare(self, item: Any) -> Prepared:
        words = item.split()
        cut = " ".join(words[: self.longest])
        return Prepared(letters(cut), len(words), truncated=len(words) > self.longest)

    def encode(self, batch: Any) -> np.ndarray:
        return np.stack([one.data for one in batch])


def letters(text: str) -> np.ndarray:
    """Counts that tell the order of words too: each letter weighs more the later its word."""
    values = np.ones(27, np.float32)
    for place, word in enumerate(text.split()):
        for letter in word:
            values[ord(letter) - ord("a")] += place + 1
    return values


class Plain(Tagger):
    """Knows three nouns; counts what it is given."""

    def __init__(self, name: str = "plain") -> None:
        self.name, self.version = name, "1"
        self.tagged: Counter[str] = Counter()

    def tag(self, text: str) -> tuple[Token, ...]:
        self.tagged[text] += 1
        tokens, start = [], 0
        for word in text.split():
            start = text.index(word, start)
            tokens.append(Token(word, "NOUN" if word in NOUNS else "X", word, start))
            start += len(word)
        return tuple(tokens)


def nouns(item: TextItem, _: np.random.Generator) -> str:
    found = [token.text for token in item.tokens if token.tag == "NOUN"]
    if not found:
        raise Inapplicable("no noun")
    return " ".join(found)


def others(item: TextItem, _: np.random.Generator) -> str:
    return " ".join([*(token.text for token in item.tokens), *item.vocabulary["singular"]])


def backwards(item: TextItem, _: np.random.Generator) -> str:
    return " ".join(item.text.split()[::-1])


@pytest.fixture
def tagger(monkeypatch: pytest.MonkeyPatch) -> Plain:
    """Two variants that need its tags, one of which needs the data set's nouns, and one that needs nothing."""
    plain = Plain()
    loaded = {"plain": plain, "other": Plain("other")}

    def tagger_of(chosen: Chosen) -> Tagger:
        return loaded[str(chosen.settings["tagger"])]

    monkeypatch.setattr(ingest.variants.taggers, "tagger_of", tagger_of)
    offered: list[tuple[Any, set[str]]] = [
        (nouns, {"tagger"}),
        (others, {"tagger", "vocabulary"}),
        (backwards, set()),
    ]
    for apply, needs in offered:
        name = f"test-{apply.__name__}"
        settings = {"tagger": TAGGER} if needs else {}
        variant = Variant(
            name, "text", "semantic", "For a test.", apply, settings, frozenset(needs)
        )  # type: ignore[arg-type]
        monkeypatch.setitem(all_variants(), name, variant)
    return plain


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


def captions(db: Database) -> dict[str, str]:
    return dict(db.captions().select("caption_id", "text").collect().iter_rows())


def vectors(db: Database, variant: str) -> dict[str, np.ndarray]:
    ids, [values] = db.space("s").matrices(variant=variant)
    return dict(zip(ids, values, strict=True))


def add_captions(db: Database, dataset: str, texts: dict[str, str]) -> None:
    rows = {
        "caption_id": list(texts),
        "concept_id": [None] * len(texts),
        "text": list(texts.values()),
        "gloss": [None] * len(texts),
    }
    tagged = pl.DataFrame(rows).with_columns(dataset=pl.lit(dataset), source=pl.lit("test"))
    items.add(db, {"captions": tagged})


def test_each_text_is_that_of_the_variant_and_each_caption_is_tagged_once(
    db: Database, tagger: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ingest.pipeline.defining, "CAPTIONS_READ", 0
    )  # so that only the items are tagged
    asked = ["original,test-nouns", "test-backwards", "test-others"]
    report = run(db, Letters(), space="s", variants=asked, batch_size=7)
    texts = captions(db)
    expected = {
        "original": texts,
        "test-backwards": {one: " ".join(text.split()[::-1]) for one, text in texts.items()},
        "test-nouns": {
            one: " ".join(word for word in text.split() if word in NOUNS)
            for one, text in texts.items()
            if NOUNS & set(text.split())
        },
        "test-others": texts,
    }
    without = ITEMS - len(expected["test-nouns"])
    assert 0 < without < ITEMS
    assert report.inapplicable == {"test-nouns": {"no noun": without}}
    assert report.stored == 4 * ITEMS - without
    for variant, said in expected.items():
        there = vectors(db, variant)
        assert there.keys() == said.keys()
        for one, text in said.items():
            np.testing.assert_array_equal(there[one], letters(text))
    assert tagger.tagged == Counter(texts.values())


def test_two_taggers_are_two_and_what_needs_none_has_none(db: Database, tagger: Plain) -> None:
    run(db, Letters(), space="s", variants=["test-backwards"])
    assert tagger.tagged.total() == 0
    run(db, Letters(), space="s", variants=["test-nouns,test-nouns:tagger=other"])
    assert tagger.tagged.total() == ITEMS
    definitions = dict(db.variants().select("variant", "definition").collect().iter_rows())
    assert '"tagger": "plain 1"' in definitions["test-nouns"]
    assert '"tagger": "other 1"' in definitions["test-nouns:tagger=other"]
    assert "tagger" not in definitions["test-backwards"]


def test_the_words_of_a_data_set_stay_those_of_its_first_captions(
    db: Database, tagger: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_captions(db, "pets", {"p3": "the hamster", "p1": "the dog", "p2": "the cat"})
    NOUNS_OF_THE_FIRST_TWO = ("cat", "dog")
    monkeypatch.setattr(ingest.pipeline.defining, "CAPTIONS_READ", 2)
    built: list[list[str]] = []

    def build(texts: list[str], of: Tagger) -> dict[str, tuple[str, ...]]:
        assert of is tagger
        built.append(texts)
        return {"singular": tuple(sorted({w for text in texts for w in text.split()} & NOUNS))}

    monkeypatch.setattr("ingest.variants.vocabulary.build", build)
    pets = {"variants": ["test-others"], "datasets": ["pets"]}
    run(db, Letters(), space="s", **pets)  # type: ignore[arg-type]
    assert built == [["the dog", "the cat"]]  # by id
    added = " ".join(NOUNS_OF_THE_FIRST_TWO)
    np.testing.assert_array_equal(vectors(db, "test-others")["p3"], letters(f"the hamster {added}"))

    add_captions(db, "pets", {"p0": "a bird"})  # it would come first now
    run(db, Letters(), space="s", **pets)  # type: ignore[arg-type]
    run(db, Letters(), space="t", **pets)  # type: ignore[arg-type]
    assert len(built) == 1
    np.testing.assert_array_equal(vectors(db, "test-others")["p0"], letters(f"a bird {added}"))

    run(db, Letters(), space="s", variants=["test-others"])  # another data set has its own
    assert len(built) == 2
    first = sorted(captions(db).items())[:2]
    assert built[1] == [text for _, text in first]


def test_showing_a_caption_uses_the_words_that_are_kept_and_keeps_none(
    db: Database, tagger: Plain
) -> None:
    shown = show(db, "test-others", "cap-00003")
    assert (shown.modality, shown.original) == ("text", captions(db)["cap-00003"])
    assert shown.altered.startswith(shown.original)
    assert db.variants().collect().is_empty()
    assert tagger.tagged.total() >= ITEMS
    run(db, Letters(), space="s", variants=["test-others"], limit=4)
    tagger.tagged.clear()
    again = show(db, "test-others", "cap-00003")
    assert again == shown
    assert tagger.tagged.total() == 1
    np.testing.assert_array_equal(vectors(db, "test-others")["cap-00003"], letters(shown.altered))


def test_a_text_that_is_empty_or_none_is_a_failure(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(item: TextItem, _: np.random.Generator) -> Any:
        return {"cap-00000": " ", "cap-00001": None}.get(item.item_id, item.text)

    variant = Variant("test-spoil", "text", "semantic", "For a test.", spoil)
    monkeypatch.setitem(all_variants(), "test-spoil", variant)
    report = run(db, Letters(), space="s", variants=["test-spoil"])
    assert {one: reason for one, _, reason in report.failed} == {
        "cap-00000": "the variant gave an empty text",
        "cap-00001": "the variant gave NoneType, not a text",
    }


@pytest.mark.usefixtures("tagger")
def test_altered_texts_that_do_not_fit_are_counted_too(db: Database) -> None:
    report = run(db, Letters(longest=5), space="s", variants=["original,test-backwards"])
    long = sum(len(text.split()) > 5 for text in captions(db).values())
    assert 0 < long < ITEMS
    assert report.truncated == 2 * long


def test_ready_made_texts_are_expected_of_those_that_have_one(db: Database) -> None:
    rows = [
        ("cap-00004", "paraphrase", "one thing", "study", "test"),
        ("cap-00009", "paraphrase", "another thing", "study", "test"),
        ("cap-00009", "grayscale", "a name that images have", "study", "test"),
    ]
    columns = ["caption_id", "variant", "text", "dataset", "source"]
    items.add(db, {"caption_variants": pl.DataFrame(rows, schema=columns, orient="row")})
    report = run(db, Letters(), space="s", variants=["paraphrase"])
    assert report.plan.rows == {"paraphrase": (2, 0, 0)}
    for one, text in (("cap-00004", "one thing"), ("cap-00009", "another thing")):
        np.testing.assert_array_equal(vectors(db, "paraphrase")[one], letters(text))
    # Of those that have one, not of all: the first of them has the fifth id.
    assert run(db, Letters(), space="s", variants=["paraphrase"], limit=1).plan.rows == {
        "paraphrase": (1, 1, 0)
    }
    both = wanted_variants(db, ["grayscale"])
    assert both["image"][0].chosen is not None
    assert both["text"][0].ready_made


def test_a_caption_that_cannot_have_a_variant_is_not_tagged_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def picky(item: TextItem, _: np.random.Generator) -> str:
        asked.append(item.item_id)
        if item.item_id < "cap-00003":
            raise Inapplicable("it is too early")
        return "later"

    variant = Variant("picky", "text", "semantic", "For a test.", picky)
    monkeypatch.setitem(all_variants(), "picky", variant)
    first = run(db, Letters(), space="s", variants=["picky"])
    asked.clear()
    again = run(db, Letters(), space="s", variants=["picky"])
    assert asked == []
    assert again.plan.rows == {"picky": (len(first.plan.todo), first.stored, 3)}
    assert (again.stored, again.plan.remaining) == (0, 0)
    assert again.inapplicable == first.inapplicable == {"picky": {"it is too early": 3}}


# What is asked for


@pytest.mark.usefixtures("tagger")
def test_names_are_parted_by_modality_and_put_in_one_order(db: Database) -> None:
    asked = ["test-nouns,grayscale", "blur:sigma=0.01", "original", "test-backwards"]
    expected = {
        "image": ["original", "blur", "grayscale"],
        "text": ["original", "test-backwards", "test-nouns"],
    }
    for written in (asked, asked[::-1], [*asked, "blur"]):
        found = wanted_variants(db, written)
        assert {modality: [one.name for one in wanted] for modality, wanted in found.items()} == (
            expected
        )


@pytest.mark.parametrize(
    ("written", "error", "words"),
    [
        ("grayscal", NotFoundError, "no variant 'grayscal'; did you mean grayscale"),
        ("origina", NotFoundError, "no variant 'origina'; did you mean original"),
        ("blur:sgma=2", NotFoundError, "no setting 'sgma' of variant 'blur'; did you mean sigma"),
        ("blur:sigma=x", InputError, "sigma must be a number"),
        ("original:seed=1", InputError, "original is no variant that is made"),
        ("grayscale,,blur", InputError, "an empty name"),
    ],
)
def test_a_name_that_means_nothing_is_told(
    written: str, error: type[Exception], words: str, db: Database
) -> None:
    with pytest.raises(error, match=words):
        wanted_variants(db, [written])


def test_none_of_the_encoders_modality_is_refused(db: Database) -> None:
    with pytest.raises(InputError, match="none of the variants asked for is of texts"):
        run(db, Letters(), space="s", variants=["grayscale"])
    assert db.spaces().collect().is_empty()
