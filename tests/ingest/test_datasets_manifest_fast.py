"""Tables read fast: whatever Arrow is trusted with comes out as the careful readers have it, row and line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.datasets.manifest import fast
from ingest.datasets.manifest.lines import CsvLines, JsonLines
from vdb.errors import InputError

WILD = st.text(st.sampled_from('ab",\n\r\t \0\ufeff\u2028\xe9\U0001f436'), max_size=40)
"""Texts in which everything stands that means something to CSV, dense enough to meet."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)


def agrees_on_csv(text: str, delimiter: str) -> bool:
    """Hold the fast reader to the careful one; tell whether it read at all."""
    quick = fast.read_csv(text, delimiter)
    if quick is None:
        return False
    header, rows = quick
    slow = CsvLines(text, "t.csv", delimiter)  # a mistake that only one of them sees raises here
    assert header == slow.header
    assert slow.lines == list(range(2, rows.height + 2))
    assert [rows.to_series(i).to_list() for i in range(rows.width)] == [
        slow.column(i).to_list() for i in range(len(header))
    ]
    return True


@given(text=WILD, delimiter=st.sampled_from(",\t"))
@settings(max_examples=1500, deadline=None)
def test_any_text_is_read_as_csv_alike_or_left_to_the_careful_reader(
    text: str, delimiter: str
) -> None:
    agrees_on_csv(text, delimiter)


@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=300, deadline=None)
def test_what_csv_writers_write_a_row_a_line_is_read_fast(
    rows: list[list[str]], ending: str, quoting: Any
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=ending, quoting=quoting).writerows(rows)
    assert agrees_on_csv(written.getvalue(), ",")
    assert agrees_on_csv(written.getvalue().removesuffix(ending), ",")


@pytest.mark.parametrize(
    "text",
    [
        'a,b\n"one\ntwo",3\n',
        'a,b\none "two" three,4\n',
        'a,b\n"one" two,3\n',
        "a,b\n1,2\n\n3,4\n",
        "a\n1\n\n2\n",
        "a,b\n1,2\n3\n",
        "a,b\n1,2\r3,4\n",
        'a,b\n"1,2\n3,4"\n',
        "\n",
        "",
        "a\n" + "x" * 131_073 + "\n",
    ],
)
def test_what_is_not_a_row_a_line_is_left_to_the_careful_reader(text: str) -> None:
    assert fast.read_csv(text, ",") is None


VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.sampled_from(["2020-01-01", "2020-01-01T00:00:00Z", "1", "null", ""]),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(TEXTS, st.integers(), max_size=2),
)
OBJECTS = st.dictionaries(st.sampled_from(["text", "id", "other", "more"]), VALUES, max_size=4)


def agrees_on_json(text: str) -> bool:
    quick = fast.read_json_lines(text, ["text", "id"], ["id"])
    if quick is None:
        return False
    header, rows = quick
    slow = JsonLines(text, "t.jsonl")
    assert set(header) == set(slow.header)
    unused = [name for name in slow.header if name not in rows.columns]
    assert [name for name in header if name not in rows.columns] == unused
    assert slow.lines == list(range(1, rows.height + 1))
    for name in rows.columns:
        also = (int,) if name == "id" else ()
        assert rows[name].to_list() == slow.column(name, name, also).to_list()
    return True


@given(objects=st.lists(OBJECTS, max_size=5), ascii_only=st.booleans())
@settings(max_examples=600, deadline=None)
def test_any_objects_are_read_alike_or_left_to_the_careful_reader(
    objects: list[dict[str, Any]], ascii_only: bool
) -> None:
    agrees_on_json("\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in objects))


@given(text=st.text(st.sampled_from('{}[]":,\\ud8c\n\r a1'), max_size=60))
@settings(max_examples=800, deadline=None)
def test_any_text_is_read_as_json_alike_or_left_to_the_careful_reader(text: str) -> None:
    agrees_on_json('{"text": "x"}\n' + text)
    agrees_on_json('{"text": "' + text + '"}\n')


@given(
    rows=st.lists(st.tuples(TEXTS, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=5),
    ascii_only=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_json_lines_of_texts_and_whole_ids_are_read_fast(
    rows: list[tuple[str, int]], ascii_only: bool
) -> None:
    lines = [json.dumps({"text": t, "id": i, "n": 0}, ensure_ascii=ascii_only) for t, i in rows]
    assert agrees_on_json("\r\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "x"}{"text": "y"}\n\n',
        '{"text": "x"}\n\n{"text": "y"}\n',
        '{"text":\n{"a": 1}}\n{"text": "x"} {"text": "y"}\n',
        '{"text": "x", "text": "y"}\n',
        '{"text": "\\ud83d"}\n',
        '{"text": 1}\n',
        '{"id": 1}\n{"id": "1"}\n',
        '{"id": 1.0}\n',
        '{"other": 1}\n{"text": "2020-01-01"}\n',
        '{"text": "x", "n": ' + "[" * 100_000 + "]" * 100_000 + "}\n",
    ],
)
def test_what_is_not_an_object_a_line_is_left_to_the_careful_reader(text: str) -> None:
    assert fast.read_json_lines(text, ["text", "id"], ["id"]) is None


def test_brackets_within_brackets_are_refused_by_the_careful_reader() -> None:
    with pytest.raises(InputError, match=r"t\.jsonl:2: JSON that cannot be data"):
        JsonLines('{"text": "x"}\n{"n": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "t.jsonl")
