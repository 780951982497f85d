"""Taggers by name, and the setting ``tagger`` of a variant."""

from __future__ import annotations

from importlib.metadata import EntryPoint, version
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from ingest.demo.dice import Dice
from ingest.demo.language import caption, statement
from ingest.demo.lexicon import DOES, NAMES, SYNONYMS, read_names
from ingest.demo.scenes import sample_scene
from ingest.variants import choose
from ingest.variants.base import Inapplicable, TextItem, Token
from ingest.variants.naming import fingerprint_of
from ingest.variants.taggers import Tagger, find_tagger, registry, tagger_of, with_spacy
from ingest.variants.vocabulary import build
from vdb.errors import InputError, NotFoundError, VdbError

if TYPE_CHECKING:
    from pathlib import Path


class Shouting(Tagger):
    """Calls every word a noun."""

    name, version = "shouting", "9"

    def tag(self, text: str) -> tuple[Token, ...]:
        return (Token(text, "NOUN", text, 0),)


def offer(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    point = EntryPoint("shouting", "somewhere:load", registry.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: value)
    monkeypatch.setattr(
        registry, "entry_points", lambda *, group: [point] if group == registry.GROUP else []
    )


def test_auto_is_hanta_where_spacy_has_no_english_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name.startswith("en_") else 1)
    assert find_tagger() is find_tagger("hanta")
    assert find_tagger().identity.startswith(f"hanta {version('hanta')}")


def test_auto_is_spacy_where_it_has_one(monkeypatch: pytest.MonkeyPatch, english: Path) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: name in {"spacy", "en_core_web_md"})
    assert registry.installed_spacy_model() == "en_core_web_md"
    monkeypatch.setattr(with_spacy, "installed_spacy_model", lambda: str(english))
    monkeypatch.setattr(registry, "_loaded", {})
    assert find_tagger().identity == find_tagger("spacy").identity
    assert find_tagger().name == "spacy"


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("hunta", NotFoundError, "did you mean hanta"),
        ("hanta:big", InputError, "write hanta"),
        ("demo:big", InputError, "write demo"),
        ("spacy:no_such_model", NotFoundError, "no spaCy model 'no_such_model'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(name: str, error: type[VdbError], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        find_tagger(name)
    assert "\n" not in str(caught.value)


def test_spacy_without_a_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_spacy, "installed_spacy_model", lambda: None)
    with pytest.raises(NotFoundError, match="spacy download en_core_web_sm"):
        with_spacy.load("")


def test_a_package_may_offer_a_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, lambda argument: Shouting() if not argument else None)
    assert find_tagger("shouting").identity == "shouting 9"
    with pytest.raises(InputError, match="gives no Tagger"):
        find_tagger("shouting:quietly")


def test_a_tagger_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> Tagger:
        raise OSError("no disk")

    offer(monkeypatch, broken)
    monkeypatch.setattr(registry, "_loaded", {})
    with pytest.raises(InputError, match=r"'somewhere:load' cannot be loaded: no disk"):
        find_tagger("shouting")


# ---- the setting


def test_the_tagger_is_a_part_of_the_definition_by_what_it_came_to() -> None:
    named, auto = choose("nouns-only:tagger=hanta"), choose("nouns-only")
    assert (named.name, auto.name) == ("nouns-only:tagger=hanta", "nouns-only")
    definitions = [one.definition(tagger="hanta 1") for one in (named, auto)]
    assert definitions[0] == definitions[1]
    assert "tagger" not in definitions[0]["settings"]
    assert fingerprint_of(auto.definition(tagger="hanta 2")) != fingerprint_of(definitions[0])


def test_a_variant_has_the_tagger_it_was_chosen_with() -> None:
    demo = tagger_of(choose("scrambled-phrases:tagger=demo:seed=3"))
    assert demo is not None
    assert demo.identity == "demo 1"
    assert tagger_of(choose("scrambled")) is None


def test_a_tagger_s_model_is_named_after_a_second_colon(english: Path) -> None:
    chosen = choose(f"scrambled-phrases:tagger=spacy:{english}:seed=3")
    assert chosen.settings == {"tagger": f"spacy:{english}", "seed": 3}
    assert choose(chosen.name) == chosen
    tagger = tagger_of(chosen)
    assert tagger is not None
    assert tagger.name == "spacy"
    for malformed in ("scrambled:", "scrambled:seed", "scrambled::seed=1", "scrambled:seed="):
        with pytest.raises(InputError):
            choose(malformed)


# ---- spaCy, by a pipeline of rules


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    rules = pipeline.add_pipe("attribute_ruler")
    for words, attributes in {
        "a the": {"POS": "DET"},
        "dog": {"POS": "NOUN", "MORPH": "Number=Sing"},
        "dogs": {"POS": "NOUN", "MORPH": "Number=Plur", "LEMMA": "dog"},
        "ran": {"POS": "VERB", "MORPH": "VerbForm=Fin|Tense=Past", "LEMMA": "run"},
        "running": {"POS": "VERB", "MORPH": "VerbForm=Part", "LEMMA": "run"},
        ".": {"POS": "PUNCT"},
    }.items():
        rules.add(patterns=[[{"LOWER": {"IN": words.split()}}]], attrs=attributes)
    directory = tmp_path_factory.mktemp("spacy") / "rules"
    pipeline.to_disk(directory)
    return directory


def test_spacy_tags_are_taken_as_they_are(english: Path) -> None:
    assert find_tagger(f"spacy:{english}").tag("The  dogs\nran.") == (
        Token("The", "DET", "the", 0),
        Token("dogs", "NOUN", "dog", 5, plural=True),
        Token("ran", "VERB", "run", 10, form="finite"),
        Token(".", "PUNCT", ".", 13),
    )
    running, unknown = find_tagger(f"spacy:{english}").tag("running Zug")
    assert running.form == "participle"
    assert unknown.tag == "X"


def test_another_pipeline_under_the_same_name_has_another_identity(
    english: Path, tmp_path: Path
) -> None:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.load(english)
    rules = pipeline.get_pipe("attribute_ruler")
    rules.add(patterns=[[{"LOWER": "zug"}]], attrs={"POS": "NOUN"})
    pipeline.to_disk(tmp_path / "rules")
    mine, other = find_tagger(f"spacy:{english}"), find_tagger(f"spacy:{tmp_path / 'rules'}")
    assert mine.identity != other.identity
    assert spacy.__version__ in mine.identity


def test_a_pipeline_that_tags_nothing_is_refused(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(InputError, match="no parts of speech"):
        find_tagger(f"spacy:{tmp_path / 'blank'}")


# ---- the invented language


def test_the_demo_tagger_knows_every_word_and_calls_names_nouns() -> None:
    tagger = find_tagger("demo")
    for index in range(300):
        scene = sample_scene(11, index)
        for say in (caption, statement):
            text = say(scene, Dice(5, index)).text
            tokens = tagger.tag(text)
            assert " ".join(token.text for token in tokens) == text
            assert all(token.tag != "X" for token in tokens), text
            nouns = [token.text for token in tokens if token.tag == "NOUN"]
            pairs = sum(f"{a} {b}" in NAMES for a, b in pairwise(nouns))
            assert pairs == len(read_names(text))


def test_the_demo_tagger_tells_looks_and_deeds() -> None:
    tagger = find_tagger("demo")
    looks = [
        way
        for kind in ("size", "texture", "colour")
        for ways in SYNONYMS[kind].values()
        for way in ways
    ]
    assert {token.tag for look in looks for token in tagger.tag(look)} == {"ADJ"}
    verbs = [way for kinds in DOES.values() for ways in kinds.values() for way in ways]
    tokens = [token for verb in verbs for token in tagger.tag(verb)]
    assert {token.tag for token in tokens} == {"VERB"}
    lemmas = {token.text: token.lemma for token in tokens}
    assert (lemmas["flies"], lemmas["reaches"], lemmas["dives"]) == ("fly", "reach", "dive")
    assert [token.tag for token in tagger.tag("xyzzy .")] == ["X", "PUNCT"]


def test_a_vocabulary_of_the_demo_world_holds_whole_names_and_no_an() -> None:
    texts = [caption(sample_scene(11, index), Dice(5, index)).text for index in range(60)]
    tagger = find_tagger("demo")
    vocabulary = build(texts, tagger)
    assert vocabulary["articles"] == ("a",)
    names = [noun for noun in vocabulary["singular"] if " " in noun]
    assert len(names) > 30
    assert set(names) <= NAMES.keys() | {"left edge", "right edge"}
    made = 0
    for text in texts:
        try:
            after = choose("nouns-replaced").apply(
                TextItem("x", text, tagger.tag(text), vocabulary)
            )
        except Inapplicable:
            continue
        assert not {"an"} & set(after.split())
        made += 1
    assert made == len(texts)


def test_a_tagger_needs_no_base_class() -> None:
    loose = SimpleNamespace(name="x", version="1", identity="x 1", tag=lambda _: ())
    assert isinstance(loose, Tagger)
