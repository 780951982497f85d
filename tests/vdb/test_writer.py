from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from vdb import tables, writer
from vdb.errors import StoreError
from vdb.recipe import Layer
from vdb.writer import Row, SpaceWriter, unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.recipe import Recipe
    from vdb.space import Space

    Draw = Callable[..., NDArray[np.floating]]


@pytest.fixture
def space(db: Database, recipe: Callable[..., Recipe]) -> Space:
    return db.create_space("s", recipe(4, 6))


def row(*ids: str, variant: str = "original") -> list[Row]:
    return [Row(i, None, variant) for i in ids]


def commits(space: Space) -> list[int]:
    """Rows of each commit, in order."""
    return [fragment.count_rows() for fragment in space.table.to_lance().get_fragments()]


def test_what_is_written_is_read_back_bit_for_bit(space: Space, block: Draw) -> None:
    values = block(space, 3)
    with SpaceWriter(space) as w:
        w.write(
            [Row("b", "dog", "original"), Row("a", None, "grayscale"), Row("a", None, "original")],
            values,
        )
    assert w.committed == 3
    ids, layers = space.matrices()
    assert ids == ["a", "b"]
    assert np.array_equal(np.hstack(layers), values[[2, 0]])
    assert np.array_equal(space.matrix(1, "grayscale").values, values[[1], 4:])
    assert space.counts() == {"original": 2, "grayscale": 1}
    assert space.stored() == {"a|original", "a|grayscale", "b|original"}
    concepts = space.scan([]).select("image_id", "concept_id", "variant").collect().rows()
    assert set(concepts) == {
        ("b", "dog", "original"),
        ("a", None, "grayscale"),
        ("a", None, "original"),
    }


@pytest.mark.parametrize("shape", [(2, 9), (2, 11), (1, 10), (3, 10), (20,)])
def test_another_shape_is_refused(space: Space, shape: tuple[int, ...]) -> None:
    with SpaceWriter(space) as w, pytest.raises(StoreError, match=r"block of shape \(2, 10\), not"):
        w.write(row("a", "b"), np.ones(shape, np.float16))
    assert space.ids() == []


def test_another_precision_is_refused_not_cast(space: Space) -> None:
    with SpaceWriter(space) as w, pytest.raises(StoreError, match="stores float16, not float32"):
        w.write(row("a"), np.ones((1, 10), np.float32))
    assert space.ids() == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 3, 4, 9])
def test_a_value_that_is_not_finite_is_refused_by_item_and_layer(
    space: Space, block: Draw, bad: float, column: int
) -> None:
    values = block(space, 3)
    values[1, column] = bad
    layer = "blocks.0" if column < 4 else "blocks.1"
    with SpaceWriter(space) as w, pytest.raises(StoreError) as caught:
        w.write(row("a", "it's b", "c"), values)
    message = str(caught.value)
    assert "\"it's b\" in space 's'" in message
    assert f"layer '{layer}'" in message
    assert "not finite in float16" in message
    assert "--store-dtype float32" in message
    assert space.ids() == []


def test_what_overflows_in_the_cast_is_refused(space: Space) -> None:
    with np.errstate(over="ignore"):
        cast = np.full((1, 10), 1e6, np.float32).astype(np.float16)
    with SpaceWriter(space) as w, pytest.raises(StoreError, match="not finite"):
        w.write(row("a"), cast)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_vector_of_zeros_is_refused(space: Space, block: Draw, zero: float) -> None:
    values = block(space, 2)
    values[1, 4:] = zero
    with SpaceWriter(space) as w, pytest.raises(StoreError, match=r"'b'.*'blocks.1'.*zeros"):
        w.write(row("a", "b"), values)
    assert space.ids() == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_unusable_agrees_with_numpy(dtype: type[np.floating]) -> None:
    widths = (1, 3, 2)
    layers = [Layer(f"l{i}", width, 0.0) for i, width in enumerate(widths)]
    rng = np.random.default_rng(0)
    kinds = np.array([0, 0, 0, -0.0, 1, -2, np.nan, np.inf, -np.inf, np.finfo(dtype).max,
                      np.finfo(dtype).smallest_subnormal], dtype)  # fmt: skip
    block = rng.choice(kinds, (400, sum(widths)), p=[0.2] * 3 + [0.05] * 8)
    expected = {}
    for i, vector in enumerate(block):
        for layer, part in zip(layers, np.split(vector, np.cumsum(widths)[:-1]), strict=True):
            word = "zeros" if not part.any() else "finite" if not np.isfinite(part).all() else ""
            if word and i not in expected:
                expected[i] = (layer.name, word)
    found = unusable(block, layers)
    assert found.keys() == expected.keys()
    assert 0 < len(found) < len(block)
    for i, (name, word) in expected.items():
        assert f"layer '{name}'" in found[i]
        assert word in found[i]


def test_the_advice_to_store_float32_is_given_where_it_helps() -> None:
    layers, bad = [Layer("l", 1, 0.0)], np.array([[np.inf]])
    assert "--store-dtype" in unusable(bad.astype(np.float16), layers)[0]
    assert "--store-dtype" not in unusable(bad.astype(np.float32), layers)[0]


def test_an_item_twice_in_a_block_or_a_commit_is_refused(space: Space, block: Draw) -> None:
    values = block(space, 2)
    with SpaceWriter(space) as w:
        with pytest.raises(StoreError, match="twice"):
            w.write(row("a", "a"), values)
        w.write(row("a", "b"), values)
        with pytest.raises(StoreError, match="twice"):
            w.write(row("c", "b"), values)
        w.write(row("a", "b", variant="grayscale"), values)
    assert space.ids() == ["a", "b"]
    assert w.committed == 4


def test_what_is_in_the_table_stays_as_it_was(space: Space, block: Draw) -> None:
    first, second = block(space, 2, seed=1), block(space, 2, seed=2)
    with SpaceWriter(space) as w:
        w.write(row("a", "b"), first)
    with SpaceWriter(space) as w:
        w.write(row("b", "c"), second)
    assert w.committed == 1
    ids, layers = space.matrices()
    assert ids == ["a", "b", "c"]
    assert np.array_equal(np.hstack(layers), np.vstack([first, second[1:]]))


def test_commits_by_rows(space: Space, block: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_A_COMMIT", 8)
    ids = [f"{i:02d}" for i in range(30)]
    values = block(space, 30)
    with SpaceWriter(space) as w:
        w.write(row(*ids[:3]), values[:3])
        assert w.committed == 0
        w.write(row(*ids[3:29]), values[3:29])  # one block of more than three commits
        assert w.committed == 24
        w.write(row(ids[29]), values[29:])
    assert commits(space) == [8, 8, 8, 6]
    assert np.array_equal(np.hstack(space.matrices()[1]), values)


@pytest.mark.parametrize(("limit", "expected"), [(100, [5, 5, 2]), (119, [5, 5, 2]), (1, [1] * 12)])
def test_commits_by_bytes(
    space: Space, block: Draw, monkeypatch: pytest.MonkeyPatch, limit: int, expected: list[int]
) -> None:
    monkeypatch.setattr(writer, "BYTES_A_COMMIT", limit)  # a row of this space is 20 bytes
    values = block(space, 12)
    with SpaceWriter(space) as w:
        w.write(row(*(f"{i:02d}" for i in range(12))), values)
    assert commits(space) == expected
    assert np.array_equal(np.hstack(space.matrices()[1]), values)


def test_a_commit_of_a_7b_model_is_about_128_mb(
    db: Database, recipe: Callable[..., Recipe]
) -> None:
    """33 layers of 4,096 in float16 are 270,336 bytes a row, so 1,024 rows would be 277 MB."""
    rows = SpaceWriter(db.create_space("wide", recipe(*[4096] * 33))).rows_a_commit
    assert 127e6 < rows * 33 * 4096 * 2 <= 128 * 1024**2
    double = db.create_space("double", recipe(*[4096] * 33, stored_dtype="float32"))
    assert SpaceWriter(double).rows_a_commit == rows // 2
    assert SpaceWriter(db.create_space("narrow", recipe(4, 6))).rows_a_commit == 1024


def test_the_block_may_be_used_again_at_once(space: Space, block: Draw) -> None:
    values = block(space, 2)
    buffer = values.copy()
    with SpaceWriter(space) as w:
        w.write(row("a", "b"), buffer)
        buffer[:] = 7
    assert np.array_equal(np.hstack(space.matrices()[1]), values)


def test_a_block_need_not_be_contiguous(space: Space, block: Draw) -> None:
    values = block(space, 6)
    with SpaceWriter(space) as w:
        w.write(row("a", "b", "c"), values[::2])
        w.write(row("d", "e", "f"), np.asfortranarray(values[1::2]))
    assert np.array_equal(np.hstack(space.matrices()[1]), np.vstack([values[::2], values[1::2]]))


class StopError(Exception):
    pass


def test_an_error_inside_with_commits_nothing_further(
    space: Space, block: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_A_COMMIT", 4)
    with pytest.raises(StopError), SpaceWriter(space) as w:  # noqa: PT012 - where it is raised is the point
        w.write(row(*"abcdef"), block(space, 6))
        raise StopError
    assert space.ids() == ["a", "b", "c", "d"]


def test_nothing_written_is_no_commit(space: Space, block: Draw) -> None:
    before = space.table.version
    with SpaceWriter(space) as w:
        w.write([], block(space, 0))
    assert w.committed == 0
    assert space.table.version == before


def test_hostile_ids_come_back(space: Space, block: Draw, hostile_ids: list[str]) -> None:
    values = block(space, len(hostile_ids))
    with SpaceWriter(space) as w:
        w.write([Row(i, i, i) for i in hostile_ids], values)
    for i, name in enumerate(hostile_ids):
        ids, layers = space.matrices(variant=name)
        assert ids == [name]
        assert np.array_equal(np.hstack(layers)[0], values[i])
