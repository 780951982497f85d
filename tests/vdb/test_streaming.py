"""Layers a block of rows at a time: the same vectors as read whole, in the order asked for, of one version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vdb
from vdb import streaming
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.recipe import Recipe
    from vdb.space import Space

    Fill = Callable[..., dict[str, NDArray[np.floating]]]

WIDTHS = (4, 1, 6)
IDS = [f"img-{i:03d}" for i in np.random.default_rng(3).permutation(200)]


@pytest.fixture
def space(db: Database, recipe: Callable[..., Recipe], fill: Fill) -> Space:
    """Two variants, in many commits of uneven length."""
    made = db.create_space("s", recipe(*WIDTHS, stored_dtype="float16"))
    fill(made, IDS[:90], rows_a_commit=17)
    fill(made, IDS[::3], "grayscale", rows_a_commit=40, seed=1)
    fill(made, IDS[90:], rows_a_commit=30, seed=2)
    return made


def joined(space: Space, ids: Sequence[str], rows: int, **more: str) -> list[NDArray[np.floating]]:
    """Stream, check where the blocks say they begin, and put them together."""
    blocks, end = [], 0
    for start, values in space.stream([2, 0], ids, rows=rows, **more):
        assert start == end
        end = start + len(values[0])
        assert end == min(start + rows, len(ids))
        blocks.append(values)
    assert end == len(ids)
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


@pytest.mark.parametrize("span", [0, 2, 1000], ids=["looked up", "either", "scanned"])
@pytest.mark.parametrize("rows", [1, 7, 64, 200, 1000])
@pytest.mark.parametrize(
    "ids",
    [IDS, IDS[::-1], sorted(IDS), IDS[40:44], [*IDS[:30], IDS[0], IDS[0], IDS[150]]],
    ids=["stored", "backwards", "sorted", "a few", "repeated"],
)
def test_gives_what_matrices_gives(
    space: Space, ids: list[str], rows: int, span: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_SPAN", span)
    _, whole = space.matrices([2, 0], ids=ids)
    for streamed, expected in zip(joined(space, ids, rows), whole, strict=True):
        assert streamed.dtype == np.float16
        assert np.array_equal(streamed, expected)


def test_of_a_variant_and_of_every_layer(space: Space) -> None:
    ids = sorted(IDS[::3])
    _, whole = space.matrices(variant="grayscale", ids=ids)
    [(start, values)] = space.stream(None, ids, "grayscale")
    assert start == 0
    for streamed, expected in zip(values, whole, strict=True):
        assert np.array_equal(streamed, expected)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # nothing writes to the space
)
@given(picks=st.lists(st.integers(0, 199), min_size=1, max_size=60), rows=st.integers(1, 61))
def test_any_ids_in_any_order(space: Space, picks: list[int], rows: int) -> None:
    ids = [IDS[i] for i in picks]
    _, whole = space.matrices([2, 0], ids=ids)
    for streamed, expected in zip(joined(space, ids, rows), whole, strict=True):
        assert np.array_equal(streamed, expected)


def test_blocks_of_uneven_length(space: Space) -> None:
    edges = [0, 1, 60, 61, 200]
    _, [whole] = space.matrices([0], ids=IDS)
    starts, parts = zip(*space.stream([0], IDS, edges=edges), strict=True)
    assert list(starts) == edges[:-1]
    assert [len(values) for [values] in parts] == [1, 59, 1, 139]
    assert np.array_equal(np.concatenate([values for [values] in parts]), whole)


def test_places_are_of_the_rows_that_are_left_when_some_are_deleted(space: Space) -> None:
    gone = set(IDS[5:80:4])
    _, whole = space.matrices([2, 0], ids=[one for one in IDS if one not in gone])
    quoted = ", ".join(f"'{one}'" for one in sorted(gone))
    space.table.delete(f"image_id IN ({quoted})")
    ids = [one for one in IDS if one not in gone]
    assert np.unique(space.places(ids)).size == len(ids)
    for rows in (3, 50):
        for streamed, expected in zip(joined(space, ids, rows), whole, strict=True):
            assert np.array_equal(streamed, expected)


def test_what_is_committed_while_reading_changes_nothing(space: Space, fill: Fill) -> None:
    _, [whole] = space.matrices([0], ids=IDS)
    blocks = space.stream([0], IDS, rows=20)
    parts = [next(blocks)[1][0]]
    fill(space, ["another"], seed=9)
    space.table.delete("image_id = 'img-003'")
    parts += [values for _, [values] in blocks]
    assert np.array_equal(np.concatenate(parts), whole)


def test_places_ascend_in_the_order_of_storage(space: Space) -> None:
    assert (np.diff(space.places(IDS)) > 0).all()
    order = np.random.default_rng(0).permutation(200)
    assert np.array_equal(space.places([IDS[i] for i in order]), space.places(IDS)[order])


def test_missing_ids_are_refused_before_anything_is_read(space: Space) -> None:
    with pytest.raises(NotFoundError, match=r"'original' vector of 2 of the ids.*'nobody'"):
        space.stream([0], [IDS[0], "nobody", "nothing", "nobody"])
    with pytest.raises(NotFoundError, match=r"variant.*'greyscale'.*grayscale"):
        space.places(IDS[:1], "greyscale")
    with pytest.raises(NotFoundError, match="layer"):
        space.stream([3], IDS[:1])


def test_no_ids_are_no_blocks(space: Space, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    assert list(space.stream([0], [])) == []
    empty = vdb.open(tmp_path / "other", create=True).create_space("empty", recipe(*WIDTHS))
    assert list(empty.stream([0], [])) == []
    with pytest.raises(NotFoundError):
        empty.stream([0], ["img-000"])


def test_one_block_is_ahead_and_no_more(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    read, second = streaming._block, threading.Event()

    def counted(*given: object) -> list[NDArray[np.floating]]:
        begun.append(1)
        if len(begun) == 2:
            second.set()
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(streaming, "_block", counted)
    blocks = space.stream([0], IDS, rows=20)
    assert not begun
    next(blocks)
    assert second.wait(10)  # without being asked for
    blocks.close()  # type: ignore[attr-defined]
    assert len(begun) == 2


def test_a_block_is_bounded_in_bytes(space: Space) -> None:
    dataset = space.table.to_lance()
    assert streaming.rows_a_block(dataset, ["layer_00"]) == 8192
    wide = streaming.rows_a_block(dataset, ["layer_02"] * 10_000)  # 120 kB a row
    assert wide == (64 << 20) // (6 * 2 * 10_000)
