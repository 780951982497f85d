"""The frames that adapters fill, and the checks they share."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.datasets import Batch
from ingest.datasets.base import (
    check_id,
    check_ids,
    columns_of,
    frame,
    image_frame,
    one_each,
    prefixed,
    text_column,
)
from ingest.datasets.files import Root
from vdb.errors import InputError
from vdb.names import id_problem
from vdb.schema import TABLES


@pytest.mark.parametrize("table", ["concepts", "images", "captions", "pairs", "segments"])
def test_an_empty_batch_has_the_columns_of_the_store(table: str) -> None:
    rows = Batch().tables()[table]
    assert not rows.height
    assert ["key", *rows.columns] == TABLES[table].names
    assert (
        rows.to_arrow().schema.types
        == pl.DataFrame(TABLES[table].empty_table()).drop("key").to_arrow().schema.types
    )


def test_a_frame_is_put_in_the_stores_order_and_types() -> None:
    made = image_frame(["a"], source=["f:1"], dataset="d", sha256=["0"], uri=["u"])
    assert made.schema == columns_of("images")
    assert made.row(0) == ("a", None, "u", "0", "d", "f:1")
    with pytest.raises(KeyError, match="left out"):
        frame("pairs", {"image_id": ["a"]})
    with pytest.raises(KeyError, match="unknown"):
        frame("pairs", {"image": ["a"]})


def test_a_batch_of_other_columns_is_a_mistake_of_the_adapter() -> None:
    with pytest.raises(TypeError, match="images"):
        Batch(images=pl.DataFrame({"image_id": ["a"]}))


@settings(deadline=None)
@given(st.text(min_size=0, max_size=600))
def test_ids_of_a_column_are_judged_as_one_id_is(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        with pytest.raises(InputError):
            check_id(text, "f:1")
        return
    if id_problem(text) is None:
        assert check_id(text, "f:1") == text
    else:
        with pytest.raises(InputError, match=r"^f:1: "):
            check_id(text, "f:1")


def test_the_first_unfit_id_is_named() -> None:
    ids = text_column(["fine", None, "a\tb", ""], str)
    with pytest.raises(InputError, match=r"^2: an id with a control character: 'a\\tb'"):
        check_ids(ids, str)


def test_a_prefix_does_not_make_an_empty_id_fit() -> None:
    assert prefixed(pl.Series("i", ["a", None]), "p/", str).to_list() == ["p/a", None]
    with pytest.raises(InputError, match="empty id"):
        prefixed(pl.Series("i", [""]), "p/", str)
    with pytest.raises(InputError, match="513 characters"):
        prefixed(pl.Series("i", ["x" * 512]), "p", str)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "x", "y"]))))
def test_one_each_keeps_the_first_of_agreeing_rows(rows: list[tuple[str, str | None]]) -> None:
    table = pl.DataFrame(
        [(key, concept, f"f:{line}") for line, (key, concept) in enumerate(rows)],
        schema={"id": pl.String, "concept_id": pl.String, "source": pl.String},
        orient="row",
    )
    said: dict[str, set[str]] = {}
    for key, concept in rows:
        said.setdefault(key, set()).update({concept} - {None})
    if any(len(concepts) > 1 for concepts in said.values()):
        with pytest.raises(InputError, match=r"f:\d+ and f:\d+ differ in concept_id"):
            one_each(table, "id", ["concept_id"])
        return
    kept = one_each(table, "id", ["concept_id"])
    assert kept["id"].to_list() == list(said)
    assert kept["concept_id"].to_list() == [next(iter(said[key]), None) for key in said]


@pytest.mark.parametrize(
    "path",
    ["..", "../x", "a/../../x", "/", "/etc/passwd", "//etc/passwd", "a/../..", "", ".", "./"],
)
def test_paths_that_leave_their_root_are_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError):
        Root(tmp_path / "root").locate(path)


def test_a_sibling_of_the_same_beginning_is_outside(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root2").mkdir()
    root = Root(tmp_path / "root")
    for path in ("../root2/x", str(tmp_path / "root2" / "x")):
        with pytest.raises(InputError, match="outside"):
            root.locate(path)
    assert root.locate("a/../x") == str(tmp_path / "root" / "x")


@settings(deadline=None)
@given(st.text(st.sampled_from("./ab"), max_size=12))
def test_whatever_is_located_lies_inside(path: str) -> None:
    root = Root(Path(__file__).parent)
    try:
        located = root.locate(path)
    except InputError:
        return
    assert located.startswith(f"{root.path}/")
    assert ".." not in located.split("/")
