from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER: dict[str, Any] = {
    "model": "another name",
    "library": "transformers",
    "source": "someone/else",
    "revision": "ffff",
    "weights": "random-init:seed=0",
    "modality": "text",
    "pooling": "mean",
    "dtype": "bfloat16",
    "stored_dtype": "float32",
    "layers": (Layer("blocks.0", 4, 0.0), Layer("blocks.1", 6, 0.9)),
    "preprocessing": {"size": [224, 256], "mean": [0.5, 0.5, 0.5]},
    "versions": {"timm": "1.1"},
    "parameters": 7,
}
DECIDES_NOTHING = {"model", "parameters"}
NAMED_AS = {
    "layers": "layers[1].depth: 1.0 -> 0.9",
    "preprocessing": "preprocessing.size[1]: 224 -> 256",
    "versions": "versions.timm: 1.0 -> 1.1",
    "pooling": "pooling: cls -> mean",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc."), inner, max_size=3),
    max_leaves=8,
)


def test_every_field_has_another_value_to_try() -> None:
    assert OTHER.keys() == {field.name for field in fields(Recipe)}


def test_round_trip(recipe: Callable[..., Recipe]) -> None:
    one = recipe(preprocessing={"prompt": 'a "photo" of 猫\n', "crop": 0.875, "pad": None})
    assert Recipe.from_json(one.to_json()) == one
    assert Recipe.from_json(one.to_json()).fingerprint == one.fingerprint


@pytest.mark.parametrize("name", OTHER)
def test_every_field_but_the_name_and_the_size_changes_the_fingerprint(
    recipe: Callable[..., Recipe], name: str
) -> None:
    one = recipe()
    other = replace(one, **{name: OTHER[name]})
    assert (one.fingerprint != other.fingerprint) is (name not in DECIDES_NOTHING)
    assert bool(one.differences(other)) is (name not in DECIDES_NOTHING)
    if name in NAMED_AS:
        assert one.differences(other) == [NAMED_AS[name]]


def test_a_recipe_that_says_no_size_is_read(recipe: Callable[..., Recipe]) -> None:
    told = json.loads(recipe(parameters=7).to_json())
    del told["parameters"]  # as stores of before hold it
    older = Recipe.from_json(json.dumps(told))
    assert older.parameters is None
    assert older.fingerprint == recipe(parameters=7).fingerprint


def test_one_layer_more_is_named_as_absent(recipe: Callable[..., Recipe]) -> None:
    differences = recipe(4).differences(recipe(4, 6))
    assert "layers[1].name: absent -> blocks.1" in differences


def test_the_order_of_settings_does_not_matter(recipe: Callable[..., Recipe]) -> None:
    forth, back = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert recipe(preprocessing=forth).fingerprint == recipe(preprocessing=back).fingerprint


def test_the_fingerprint_is_the_same_on_every_machine(recipe: Callable[..., Recipe]) -> None:
    # Stores hold fingerprints: a change of this value is a change of the schema and wants a migration.
    assert recipe().fingerprint == "a1ef2e271d0b0ea4"


@given(
    mine=st.dictionaries(st.text("abc"), json_values, max_size=3),
    theirs=st.dictionaries(st.text("abc"), json_values, max_size=3),
)
def test_recipes_of_two_fingerprints_always_have_a_difference_to_name(
    mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    layers = (Layer("a", 1, 0.0),)
    one, other = (
        Recipe("m", "l", "s", "r", "w", "image", "cls", "float32", "float16", layers, settings)
        for settings in (mine, theirs)
    )
    assert (one.fingerprint == other.fingerprint) is (one.differences(other) == [])
