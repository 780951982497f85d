from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from vdb import keys as row_keys
from vdb.schema import key_of

# The letters that could confuse a join, and a few others.
nasty = st.text("|\\a'\"n é猫", max_size=6)
tuples = st.lists(nasty, min_size=1, max_size=4).map(tuple)


@given(tuples, tuples)
def test_no_two_tuples_share_a_key(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (key_of(*one) == key_of(*other)) is (one == other)


@given(tuples)
def test_a_key_can_be_read_back(parts: tuple[str, ...]) -> None:
    assert parts == _read(key_of(*parts))


def _read(key: str) -> tuple[str, ...]:
    """Undo key_of by a reading of its definition: a backslash makes the next letter a plain one."""
    parts, letters = [""], iter(key)
    for letter in letters:
        if letter == "|":
            parts.append("")
        else:
            parts[-1] += next(letters) if letter == "\\" else letter
    return tuple(parts)


@given(st.lists(st.tuples(nasty | st.text(), nasty | st.text()), min_size=1, max_size=8))
def test_the_vectorised_twin_agrees(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    made = frame.select(row_keys.keys(["a", "b"]))
    assert made.to_series().to_list() == [key_of(*row) for row in rows]
