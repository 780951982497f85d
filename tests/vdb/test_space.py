from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from vdb import reading
from vdb.errors import NotFoundError, RecipeMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.recipe import Recipe
    from vdb.space import Space

    Vectors = dict[str, NDArray[np.floating]]
    Fill = Callable[..., Vectors]

WIDTHS = (4, 1, 6)
ORDER = np.random.default_rng(3).permutation(200)
IDS = [f"img-{i:03d}" for i in ORDER]  # as they are written: in no order


@pytest.fixture(params=["float16", "float32"])
def space(request: pytest.FixtureRequest, db: Database, recipe: Callable[..., Recipe]) -> Space:
    return db.create_space("s", recipe(*WIDTHS, stored_dtype=request.param))


@pytest.fixture
def oracle(space: Space, fill: Fill) -> Vectors:
    """Two variants, many commits of uneven length."""
    vectors = fill(space, IDS, rows_a_commit=17)
    fill(space, IDS[::3], "grayscale", rows_a_commit=40, seed=1)
    return vectors


def layer_of(vectors: Vectors, ids: list[str], layer: int) -> NDArray[np.floating]:
    start = sum(WIDTHS[:layer])
    return np.stack([vectors[i] for i in ids])[:, start : start + WIDTHS[layer]]


def test_every_layer_in_the_order_of_the_ids(space: Space, oracle: Vectors) -> None:
    ids, layers = space.matrices()
    assert ids == sorted(IDS)
    for i, values in enumerate(layers):
        assert values.dtype == space.recipe.stored_dtype
        assert values.flags.c_contiguous
        assert values.flags.writeable
        assert np.array_equal(values, layer_of(oracle, ids, i))


@pytest.mark.parametrize("look_up_at_most", [0, 5, 10_000])
@pytest.mark.parametrize("asked", [IDS[:1], IDS[50:60], IDS[::-1], sorted(IDS), IDS])
def test_the_order_asked_for(
    space: Space,
    oracle: Vectors,
    asked: list[str],
    look_up_at_most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_LOOK_UP_AT_MOST", look_up_at_most)
    matrix = space.matrix(2, ids=asked)
    assert matrix.ids == asked
    assert matrix.values.flags.c_contiguous
    assert np.array_equal(matrix.values, layer_of(oracle, asked, 2))


@pytest.mark.parametrize("look_up_at_most", [0, 10_000])
def test_an_id_asked_for_twice_comes_twice(
    space: Space, oracle: Vectors, look_up_at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOK_UP_AT_MOST", look_up_at_most)
    asked = [IDS[3], IDS[7], IDS[3], IDS[3], IDS[0]]
    ids, layers = space.matrices(ids=asked)
    assert ids == asked
    for i, values in enumerate(layers):
        assert np.array_equal(values, layer_of(oracle, asked, i))


def test_no_ids_asked_for_is_no_rows(space: Space, oracle: Vectors) -> None:
    assert oracle
    ids, layers = space.matrices(ids=[])
    assert ids == []
    assert [values.shape for values in layers] == [(0, width) for width in WIDTHS]


@pytest.mark.parametrize("look_up_at_most", [0, 10_000])
def test_a_missing_id_is_an_error_that_names_it(
    space: Space, oracle: Vectors, look_up_at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOK_UP_AT_MOST", look_up_at_most)
    assert oracle
    with pytest.raises(NotFoundError, match=r"space 's'.*2 of the ids.*\"it's\""):
        space.matrix(0, ids=[IDS[0], "it's", "other", "it's"])
    with pytest.raises(NotFoundError, match=r"no 'grayscale' vector.*'img-"):
        space.matrix(0, "grayscale", ids=IDS)


def test_a_variant_is_read_alone(space: Space, oracle: Vectors) -> None:
    ids, layers = space.matrices(variant="grayscale")
    assert ids == sorted(IDS[::3]) == space.ids("grayscale")
    assert not np.array_equal(layers[0], layer_of(oracle, ids, 0))


@pytest.mark.parametrize(
    ("layer", "index"),
    [(0, 0), (2, 2), (-1, 2), (-3, 0), ("blocks.1", 1), (np.int64(1), 1), (np.int64(-1), 2)],
)
def test_layers_by_index_and_name(
    space: Space, oracle: Vectors, layer: int | str, index: int
) -> None:
    matrix = space.matrix(layer)
    assert np.array_equal(matrix.values, layer_of(oracle, matrix.ids, index))


def test_layers_in_the_order_asked_for(space: Space, oracle: Vectors) -> None:
    ids, layers = space.matrices([-1, "blocks.0"])
    assert [values.shape[1] for values in layers] == [6, 4]
    assert np.array_equal(layers[1], layer_of(oracle, ids, 0))


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (3, "layers 0 to 2, not 3"),
        (-4, "layers 0 to 2, not -4"),
        ("block.1", "did you mean blocks.1"),
    ],
)
def test_a_layer_that_is_not_there(space: Space, layer: int | str, told: str) -> None:
    with pytest.raises(NotFoundError, match=told):
        space.matrix(layer)


def test_hostile_ids_are_found_by_id(
    space: Space, fill: Fill, hostile_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = fill(space, hostile_ids, rows_a_commit=3)
    for most in (0, 2000):
        monkeypatch.setattr(reading, "_LOOK_UP_AT_MOST", most)
        for one in hostile_ids:
            assert np.array_equal(space.matrix(0, ids=[one]).values[0], vectors[one][:4])
        assert space.matrix(0, ids=hostile_ids[::-1]).ids == hostile_ids[::-1]


def test_the_last_layer_of_a_thousand_ids_over_the_threshold(
    db: Database, recipe: Callable[..., Recipe], fill: Fill
) -> None:
    space = db.create_space("large", recipe(2))
    ids = [str(i) for i in range(5000)]
    vectors = fill(space, ids, rows_a_commit=1024)
    for asked in (ids[::-1][:2000], ids[::-1][:2001], ids[::-2] + ids[::2], None):
        matrix = space.matrix(ids=asked)
        assert matrix.ids == (sorted(ids) if asked is None else asked)
        assert np.array_equal(matrix.values, np.stack([vectors[i] for i in matrix.ids]))


def test_rows_that_were_deleted_are_not_read(space: Space, oracle: Vectors) -> None:
    gone = set(IDS[5:90])
    for one in sorted(gone)[:3]:
        space.table.delete(f"image_id = '{one}'")
    left = sorted(set(IDS) - set(sorted(gone)[:3]))
    matrix = space.matrix(0)
    assert matrix.ids == left
    assert np.array_equal(matrix.values, layer_of(oracle, left, 0))


@pytest.mark.usefixtures("oracle")
def test_a_variant_that_is_not_there_is_named(space: Space) -> None:
    for ask in (space.matrix, space.matrices):
        with pytest.raises(NotFoundError, match=r"no variant 'greyscale' in .* mean grayscale\?"):
            ask(variant="greyscale")
        with pytest.raises(NotFoundError, match=r"there are: grayscale, original$"):
            ask(variant="rot90")
        with pytest.raises(NotFoundError, match=r"no variant 'greyscale' in .* mean grayscale\?"):
            ask(variant="greyscale", ids=IDS[:2])
    assert space.matrix(0, "rot90", ids=[]).values.shape[0] == 0  # none is what was asked for


def test_an_empty_space_is_empty(db: Database, recipe: Callable[..., Recipe]) -> None:
    db.create_space("s", recipe())
    space = db.space("s")
    assert space.matrix().values.shape == (0, 6)
    assert space.ids() == []
    assert space.stored() == set()
    assert space.counts() == {}
    assert space.scan().collect().is_empty()


def test_a_space_is_one_recipe(db: Database, recipe: Callable[..., Recipe]) -> None:
    db.create_space("s", recipe())
    assert db.create_space("s", recipe(model="the same under another name")).recipe == recipe()
    with pytest.raises(
        RecipeMismatchError, match=r"space 's'.*pooling: cls -> mean; use"
    ) as caught:
        db.create_space("s", recipe(pooling="mean"))
    assert "\n" not in str(caught.value)
    assert db.spaces().collect().height == 1


def test_a_space_that_is_not_there(db: Database, recipe: Callable[..., Recipe]) -> None:
    db.create_space("vit-l", recipe())
    with pytest.raises(NotFoundError, match="did you mean vit-l"):
        db.space("vit-L")
