"""Every kind of data set with one row, entry or member spoiled: the error says which, and nothing is added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[Any], object]

OUTSIDE = (
    "../secret.png",
    "photos/../../secret.png",
    "/etc/passwd",
    "file:///etc/passwd",
    "link.png",
)
"""Paths that leave the data set, of which the last is a link that does."""


def spoil_coco(small: Any, home: Path, kind: str, change: Change) -> list[str]:
    made = small.SMALL["coco"](home)
    document = small.coco_json(kind)
    change(document)
    (home / f"{kind}.json").write_text(json.dumps(document, indent=1))
    return list(made.arguments)


def spoil_table(small: Any, home: Path, form: str, change: Change) -> list[str]:
    made = small.SMALL[form](home)
    rows = small.manifest_rows() if form.startswith("manifest") else small.trial_rows()
    change(rows)
    small.write_table(made.spoilable[0], rows)
    return list(made.arguments)


def spoil_lines(small: Any, home: Path, kind: str, name: str, change: Change) -> list[str]:
    made = small.SMALL[kind](home)
    [file] = home.rglob(name)
    lines = file.read_text().splitlines()
    change(lines)
    file.write_text("".join(f"{line}\n" for line in lines))
    return [*made.arguments[:-2]] if name == "tokens.txt" else [*made.arguments]  # all, not a split


def spoil_shard(small: Any, home: Path, kind: str, change: Change) -> list[str]:
    made = small.SMALL[kind](home)
    members = small.shard_members()
    change(members)
    small.pack(made.spoilable[0], members, "w:gz" if kind.endswith("gz") else "w")
    return list(made.arguments)


def spoil_columns(small: Any, home: Path, kind: str, change: Change) -> list[str]:
    made = small.SMALL[kind](home)
    columns = small.hf_columns() if kind == "hf" else small.choice_columns()
    change(columns)
    pq.write_table(pa.table(columns), made.spoilable[0])
    return list(made.arguments)


def setting(*path: Any, to: object) -> Change:
    """Change what lies at a path of keys and indices."""

    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    change.__doc__ = f"{'.'.join(map(str, path))}={ascii(to)[:40]}"
    return change


def cell(column: str, row: int, to: object) -> Change:
    """Change a cell of a table's columns."""

    def change(columns: dict[str, Any]) -> None:
        column_type = getattr(columns[column], "type", None)
        values = list(columns[column].to_pylist() if column_type else columns[column])
        values[row] = to
        columns[column] = pa.array(values, column_type)

    change.__doc__ = f"{column}.{row}={ascii(to)[:40]}"
    return change


MANIFESTS = ("manifest-csv", "manifest-tsv", "manifest-jsonl", "manifest-parquet")
TRIALS = ("trials-csv", "trials-jsonl", "trials-parquet")

ROWS: list[tuple[Callable[..., list[str]], tuple[str, ...], Change, str]] = [
    # Paths
    *[
        (
            spoil_coco,
            ("captions",),
            setting("images", 1, "file_name", to=path),
            "captions.json:9: images[1]",
        )
        for path in OUTSIDE
    ],
    *[
        (
            spoil_coco,
            ("panoptic",),
            setting("annotations", 1, "file_name", to=path),
            "annotations[1].file_name",
        )
        for path in OUTSIDE
    ],
    *[
        (spoil_table, (form,), setting(1, "image_path", to=path), "items.")
        for form in MANIFESTS
        for path in OUTSIDE
    ],
    *[
        (spoil_table, ("manifest-jsonl",), setting(4, "image_path", to=path), "items.jsonl:5")
        for path in OUTSIDE
    ],
    *[
        (spoil_table, (form,), setting(0, "candidate_1_path", to=path), "choices.")
        for form in TRIALS
        for path in OUTSIDE
    ],
    *[
        (
            spoil_lines,
            ("flickr8k", "tokens.txt"),
            setting(1, to=f"{path}.jpg#1\tHm."),
            "tokens.txt:2",
        )
        for path in OUTSIDE[:3]
    ],
    *[
        (spoil_lines, (kind, "image_paths.csv"), setting(2, to=path), "image_paths.csv:3")
        for kind in ("things-main", "things-metadata")
        for path in OUTSIDE
    ],
    *[
        (
            spoil_lines,
            ("concepts", "captions.csv"),
            setting(2, to=f"{path},b,Hm.,x"),
            "captions.csv:3",
        )
        for path in OUTSIDE[:4]
    ],
    # What no id can be
    *[
        (spoil_table, (form,), setting(1, "caption_id", to=bad), "items.")
        for form in MANIFESTS
        for bad in ("a\x1b[31m", "x" * 513, "two\nlines")
    ],
    *[
        (spoil_table, (form,), setting(0, "query_id", to=bad), "choices.")
        for form in TRIALS
        for bad in ("a\x1b[31m", "x" * 513)
    ],
    *[
        (spoil_coco, ("captions",), setting("annotations", 2, "id", to=bad), "captions.json:")
        for bad in ("", "a\tb", "x" * 513, "\ud83d", 1.5, None, True, [1], {})
    ],
    *[
        (spoil_columns, ("hf",), cell(column, 1, bad), "set train[1]")
        for column in ("caption_id", "image_id", "concept_id")
        for bad in ("", "a\x1b[31m", "x" * 513)
    ],
    *[(spoil_lines, ("things-main", "unique_id.csv"), setting(1, to="a\x1b"), "unique_id.csv:2")],
    # Half a character
    *[
        (spoil_table, (form,), setting(0, column, to="half \ud83d"), "jsonl:1")
        for form, column in (("manifest-jsonl", "caption"), ("trials-jsonl", "candidate_0_path"))
    ],
    (
        spoil_coco,
        ("captions",),
        setting("annotations", 2, "caption", to="\udc00"),
        "captions.json:",
    ),
    (spoil_coco, ("instances",), setting("categories", 0, "name", to="\udc00"), "instances.json:"),
    # One id for two things, and things that are not there
    *[
        (spoil_table, (form,), setting(1, "caption_id", to="cap-a"), "differ in caption")
        for form in MANIFESTS
    ],
    *[
        (spoil_table, (form,), setting(1, "image_id", to="img-a"), "differ in sha256")
        for form in MANIFESTS
    ],
    *[(spoil_table, (form,), setting(3, "image_id", to="gone"), "'gone'") for form in MANIFESTS],
    *[(spoil_table, (form,), setting(1, "candidate_1_id", to="gone"), "'gone'") for form in TRIALS],
    (spoil_coco, ("captions",), setting("annotations", 2, "id", to=10), "different things"),
    (spoil_coco, ("captions",), setting("annotations", 2, "image_id", to=99), "annotations[2]"),
    (spoil_coco, ("instances",), setting("annotations", 2, "category_id", to=99), "annotations[2]"),
    (spoil_lines, ("flickr8k", "experts.txt"), setting(1, to="only-this"), "experts.txt:2"),
    (spoil_lines, ("flickr8k", "tokens.txt"), setting(1, to="a.jpg#0\tElse."), "differ in caption"),
    (spoil_lines, ("things-main", "image_concept_index.csv"), setting(1, to="9"), "csv:2"),
    (spoil_lines, ("concepts", "captions.csv"), setting(2, to="gone/1.png,b,Hm.,x"), "csv:3"),
    (spoil_columns, ("hf",), cell("image_id", 1, "a"), "set train[1]"),
    # Captions of nothing
    *[
        (spoil_table, (form,), setting(1, "caption", to=" \u3000\t"), "the caption is empty")
        for form in MANIFESTS
    ],
    *[(spoil_table, (form,), setting(0, "query_text", to=" "), "choices.") for form in TRIALS],
    (spoil_coco, ("captions",), setting("annotations", 2, "caption", to="\n"), "captions.json:"),
    (spoil_lines, ("flickr8k", "tokens.txt"), setting(1, to="a.jpg#1\t "), "tokens.txt:2"),
    (spoil_lines, ("concepts", "captions.csv"), setting(2, to="b/1.png,b, ,x"), "captions.csv:3"),
    # Members of other places
    *[
        (spoil_shard, (kind,), setting(3, to=(name, b"\x89PNG\r\n\x1a\n")), "00000.tar")
        for kind in ("webdataset", "webdataset-gz")
        for name in (
            "../b.png",
            "/b.png",
            "b\\..\\c.png",
            "b\udcff.png",
            "b\x1b.png",
            f"{'b' * 600}.png",
        )
    ],
]


@pytest.mark.parametrize(
    ("spoil", "given", "change", "where"),
    [pytest.param(*row, id=f"{'-'.join(row[1])}-{row[2].__doc__}") for row in ROWS],
)
def test_a_spoiled_row_is_named_and_nothing_is_added(
    spoil: Callable[..., list[str]],
    given: tuple[str, ...],
    change: Change,
    where: str,
    small: Any,
    adding: Any,
    tmp_path: Path,
) -> None:
    home = tmp_path / "data"
    home.mkdir()
    small.put(tmp_path / "secret.png", small.photo(9))
    for folder in (home, home / "photos", home / "masks", home / "Main/images", home / "Images"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (home / "masks/link.png").unlink()
    (home / "masks").rmdir()
    message = adding.refused(tmp_path / "stores", spoil(small, home, *given, change))
    assert where in message
