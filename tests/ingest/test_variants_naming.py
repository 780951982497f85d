"""The name of a variant with settings: one a choice, read again whatever its settings hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.variants import choose, split_names
from vdb.settings import escaped

if TYPE_CHECKING:
    from ingest.variants.naming import Chosen

PIECES = st.lists(
    st.sampled_from([",", ":", "=", "%", "%2C", " ", "\u00a0", "fill", "a", "all", "\n", "\u732b"])
)
CATEGORIES = st.one_of(st.text(min_size=1), PIECES.map("".join).filter(bool))


def removing(**settings: str | float) -> Chosen:
    plain = choose("object-removed")
    return replace(plain, settings={**plain.settings, **settings})


@given(category=CATEGORIES, masks=CATEGORIES, fill=st.sampled_from(["mean", "blur"]))
def test_a_name_among_others_is_read_again(category: str, masks: str, fill: str) -> None:
    chosen = removing(which=category, masks=masks, fill=fill, margin=0.25)
    names = split_names([f"grayscale,{chosen.name},blur:sigma=0.5"])
    assert names[0] == "grayscale"
    assert names[2:] == ["blur:sigma=0.5"]
    assert dict(choose(names[1]).settings) == dict(chosen.settings)
    assert choose(names[1]).name == chosen.name


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("traffic light", "object-removed:which=traffic light"),
        ("a:fill=blur", "object-removed:which=a:fill%3Dblur"),
        ("salt, pepper", "object-removed:which=salt%2C pepper"),
        ("50% milk", "object-removed:which=50%25 milk"),
        (" cat ", "object-removed:which=%20cat%20"),
        ("\u732b", "object-removed:which=\u732b"),
    ],
)
def test_what_could_be_taken_for_another_setting_is_escaped(category: str, name: str) -> None:
    assert removing(which=category).name == name


def test_however_a_value_is_written_the_choice_has_one_name() -> None:
    written = ["which=50% milk", "which=50%25 milk", "which=%350% milk"]
    assert {choose(f"object-removed:{one}").name for one in written} == {
        "object-removed:which=50%25 milk"
    }
    assert choose("negation:tagger=spacy:en_core_web_sm").name == (
        "negation:tagger=spacy:en_core_web_sm"
    )


@given(one=CATEGORIES, other=CATEGORIES)
def test_two_values_are_never_written_alike(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)
