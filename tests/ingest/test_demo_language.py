"""The demo world's language: captions and glosses tell the truth, and the tokenizer knows every word."""

from __future__ import annotations

import re

import pytest

from ingest.demo.corpus import documents
from ingest.demo.dice import Dice
from ingest.demo.language import Phrase, caption, statement
from ingest.demo.language_model import CONTEXT, make_tokenizer
from ingest.demo.lexicon import DOES, NAMES, ROOTS, SYNONYMS, read_names
from ingest.demo.scenes import (
    BACKGROUNDS,
    CATEGORIES,
    SIZES,
    Scene,
    Thing,
    relation,
    sample_scene,
    side,
)

SCENES = [sample_scene(11, index) for index in range(400)]
CAPTIONS = [caption(scene, Dice(5, index)) for index, scene in enumerate(SCENES)]
LOOKS = "|".join((*SYNONYMS["size"], *SYNONYMS["colour"], *SYNONYMS["texture"]))
GLOSSED_THING = re.compile(
    rf"\b(?:an?|the) (?P<looks>(?:(?:{LOOKS}) )*)(?P<category>{'|'.join(CATEGORIES)})\b"
)


def thing_named(scene: Scene, category: str) -> Thing:
    (thing,) = [thing for thing in scene.things if thing.category == category]
    return thing


def meanings(kind: str) -> dict[str, str]:
    """Map each way to say something of a kind to what it means."""
    return {phrase: meaning for meaning, ways in SYNONYMS[kind].items() for phrase in ways}


def spoken(text: str) -> str:
    """Put ``<category>`` or ``<background>`` in the place of each name of a text."""
    for name, meaning in NAMES.items():
        if name in text:
            text = re.sub(rf"\b{name}\b", f"<{meaning.word}>", text)
    return text


@pytest.mark.parametrize("said", ["caption", "statement"])
def test_every_name_is_of_something_in_the_scene_and_of_its_size(said: str) -> None:
    speak = {"caption": caption, "statement": statement}[said]
    for index, scene in enumerate(SCENES):
        names = read_names(speak(scene, Dice(6, index)).text)
        assert names
        for name in names:
            if name.kind == "background":
                assert name.word == scene.background
            else:
                assert name.size in (None, thing_named(scene, name.word).size)


def test_relations_and_sides_are_those_of_the_scene() -> None:
    relations, sides = meanings("relation"), meanings("side")
    looks = {word for kind in ("size", "colour", "texture") for word in meanings(kind)}
    any_of = "|".join(sorted((*relations, *sides), key=len, reverse=True))
    described = rf"(?:a|the) (?:(?:{'|'.join(looks)}) )*<(\w+)>"
    claim = re.compile(rf"<(\w+)> ({any_of})(?: {described})?")
    checked = dict.fromkeys((*SYNONYMS["relation"], *SYNONYMS["side"]), 0)
    for scene, phrase in zip(SCENES, CAPTIONS, strict=True):
        for first, how, second in claim.findall(spoken(phrase.text)):
            if how in relations:
                said, truth = (
                    relations[how],
                    relation(thing_named(scene, first), thing_named(scene, second)),
                )
            else:
                said, truth = sides[how], side(thing_named(scene, first))
            assert said == truth
            checked[said] += 1
    assert min(checked.values()) >= 10


def test_what_is_said_of_looks_is_true() -> None:
    said = {kind: meanings(kind) for kind in ("size", "colour", "texture")}
    checked = dict.fromkeys(said, 0)
    for scene, phrase in zip(SCENES, CAPTIONS, strict=True):
        words = spoken(phrase.text).split()
        for at, word in enumerate(words):
            if not word.startswith("<") or word[1:-1] in BACKGROUNDS:
                continue
            thing = thing_named(scene, word[1:-1])
            before = words[max(0, at - 4) : at]
            articles = [i for i, w in enumerate(before) if w in ("a", "the")]
            for look in before[articles[-1] + 1 :]:
                (kind,) = [kind for kind, ways in said.items() if look in ways]
                assert said[kind][look] == getattr(thing, kind)
                checked[kind] += 1
    assert min(checked.values()) >= 50


def test_the_gloss_says_the_same_in_english() -> None:
    for scene, phrase in zip(SCENES, CAPTIONS, strict=True):
        things = [name for name in read_names(phrase.text) if name.kind == "category"]
        glossed = list(GLOSSED_THING.finditer(phrase.gloss))
        assert [match["category"] for match in glossed] == [name.word for name in things]
        for match, name in zip(glossed, things, strict=True):
            thing = thing_named(scene, name.word)
            looks = match["looks"].split()
            assert set(looks) <= {thing.size, thing.colour, thing.texture}
            assert name.size is None or thing.size in looks
        said = {name.word for name in read_names(phrase.text) if name.kind == "background"}
        assert said == set(re.findall(rf"on the ({'|'.join(BACKGROUNDS)})\b", phrase.gloss))
        assert not read_names(phrase.gloss)
        assert "an " not in re.sub(r"\ban [aeiou]", "", phrase.gloss)


def test_a_caption_reads_well() -> None:
    thing = Thing("fish", "small", "striped", "orange", 20, 4)
    scene = Scene("water", (thing,), 0)
    glosses = {caption(scene, Dice(index)).gloss for index in range(400)}
    assert "an orange fish on the left." in glosses
    assert "a small striped fish on the left on the water." in glosses
    assert "there is a small striped fish on the left." in glosses
    assert isinstance(caption(scene, Dice(0)), Phrase)


def test_a_caption_depends_on_its_scene_and_key_alone() -> None:
    assert [caption(scene, Dice(5, i)) for i, scene in enumerate(SCENES)] == CAPTIONS
    assert caption(SCENES[0], Dice(5, 1)) != CAPTIONS[0]


def test_documents_do_not_depend_on_where_the_reading_starts() -> None:
    assert documents(3, 2, 5) == documents(3, 0, 9)[2:5]


def test_the_words_of_names_are_shared_so_that_one_rarely_tells_what_is_named() -> None:
    roots = [(root, meaning) for meaning, group in ROOTS.items() for root in group]
    assert len({root for root, _ in roots}) == len(roots)
    of_word: dict[str, set[str]] = {}
    for root, meaning in roots:
        for word in root.split():
            of_word.setdefault(word, set()).add(meaning)
    telling = {word for word, meant in of_word.items() if len(meant) == 1}
    told = [root for root, _ in roots if telling & set(root.split())]
    assert len(told) / len(roots) < 0.02


def test_verbs_tell_category_and_size() -> None:
    verbs = [verb for sizes in DOES.values() for verbs in sizes.values() for verb in verbs]
    assert len(set(verbs)) == len(verbs)
    assert set(DOES) == set(CATEGORIES)
    assert all(set(sizes) == set(SIZES) for sizes in DOES.values())


def test_every_name_is_three_pieces_and_no_word_is_unknown() -> None:
    tokenizer = make_tokenizer()
    pieces = tokenizer(list(NAMES), add_special_tokens=False)["input_ids"]
    assert {len(ids) for ids in pieces} == {3}
    assert len({tuple(ids) for ids in pieces}) == len(NAMES)
    texts = [*documents(9, 0, 300), *(phrase.text for phrase in CAPTIONS)]
    encoded = tokenizer(texts)["input_ids"]
    assert not any(tokenizer.unk_token_id in ids for ids in encoded)
    assert {ids[0] for ids in encoded} == {tokenizer.bos_token_id}
    assert max(len(ids) for ids in tokenizer([p.text for p in CAPTIONS])["input_ids"]) < CONTEXT
    words = {word for text in texts for word in text.split()}
    assert len(words) > 500
    decoded = tokenizer.decode(encoded[0], skip_special_tokens=True)
    assert decoded.replace(" ", "") == texts[0].replace(" ", "")
