from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdb.errors import InputError
from vdb.names import (
    LONGEST_ID,
    check_space_name,
    check_variant_name,
    id_problem,
    space_name_for,
)
from vdb.schema import TABLES

ALLOWED = string.ascii_letters + string.digits + "._-"


@pytest.mark.parametrize("name", ["vit-l", "7b", "A.b_c-d", "x" * 100, "space.images"])
def test_plain_names_pass(name: str) -> None:
    assert check_space_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-x", ".hidden", "_x", "a b", "a/b", "../up", "a\n", "naïve", "x" * 101, "a'b", 'a"b'],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a space") as caught:
        check_space_name(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*TABLES, "Images", "META"])
def test_the_stores_own_tables_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="table of that name"):
        check_space_name(name)


@given(st.text())
def test_what_passes_is_spelled_with_allowed_letters_only(name: str) -> None:
    try:
        check_space_name(name)
    except InputError:
        return
    assert name
    assert set(name) <= set(ALLOWED)


@pytest.mark.parametrize(
    ("model", "space"),
    [
        ("vit-l", "vit-l"),
        ("timm:vit_tiny/x", "vit_tiny-x"),
        ("hf:openai-community/gpt2", "openai-community-gpt2"),
        ("st:some one/ñ/", "some-one"),
        ("hf:///", "model"),
    ],
)
def test_a_space_is_named_after_its_model(model: str, space: str) -> None:
    assert space_name_for(model) == space


@given(st.text())
def test_a_space_is_named_or_refused_whatever_the_model_is_called(model: str) -> None:
    try:
        name = space_name_for(model)
    except InputError as error:
        assert "table of that name" in str(error)  # noqa: PT017 - a model may be called "images"
    else:
        assert check_space_name(name) == name


def test_hostile_ids_are_ids(hostile_ids: list[str]) -> None:
    assert [id_problem(one) for one in hostile_ids] == [None] * len(hostile_ids)


@pytest.mark.parametrize(
    ("item_id", "problem"),
    [
        ("", "an empty id"),
        ("x" * (LONGEST_ID + 1), "an id of 513 characters"),
        ("a\nb", "a control character"),
        ("a\x00b", "a control character"),
        ("\x7f", "a control character"),
    ],
)
def test_what_is_no_id_is_told_why(item_id: str, problem: str) -> None:
    assert problem in (id_problem(item_id) or "")


@pytest.mark.parametrize("name", ["a", "their-inpainting", "sd-2-1", "0", "x" * 100])
def test_variants_are_words_joined_by_dashes(name: str) -> None:
    assert check_variant_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a--b", "A", "a b", "a:b", "a_b", "é", "a\n", "x" * 101]
)
def test_other_names_of_variants_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a variant"):
        check_variant_name(name)
