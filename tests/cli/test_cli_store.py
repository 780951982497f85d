"""``vdb models``, ``migrate``, ``add``: what they print, and what every command refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from PIL import Image

import vdb
from cli.render import as_table, size, with_facts
from ingest.catalogue import catalogue
from ingest.datasets import ADAPTERS
from vdb import schema
from vdb.migrations import CHANGES, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

    Command = Callable[..., Any]


def test_models_lists_the_catalogue_in_every_format(vdb_command: Command, tmp_path: Path) -> None:
    names = list(catalogue())
    table = vdb_command("models").out.splitlines()
    assert [line.split()[0] for line in table[2:]] == names
    as_json = json.loads(vdb_command("models", "--format", "json").out)
    assert [row["name"] for row in as_json] == names
    as_csv = pl.read_csv(io.BytesIO(vdb_command("models", "--format", "csv").content))
    as_parquet = pl.read_parquet(io.BytesIO(vdb_command("models", "--format", "parquet").content))
    cards = catalogue().values()
    assert [row["widths"] for row in as_json] == [list(card.widths) for card in cards]
    assert as_parquet["widths"].to_list() == [list(card.widths) for card in cards]
    assert as_csv["widths"].to_list() == [" ".join(map(str, card.widths)) for card in cards]
    for numbers in (as_csv, as_parquet, pl.DataFrame(as_json)):
        assert numbers["parameters_millions"].to_list() == [card.parameters for card in cards]
    assert max(map(len, table)) <= 115
    assert as_csv["name"].to_list() == as_parquet["name"].to_list() == names
    answer = vdb_command("models", "--format", "csv", "--output", tmp_path / "m.csv")
    assert answer.content == b""
    assert pl.read_csv(tmp_path / "m.csv").equals(as_csv)


def test_models_of_a_family(vdb_command: Command) -> None:
    rows = json.loads(vdb_command("models", "--family", "DINOV2", "--format", "json").out)
    assert rows
    assert {row["family"] for row in rows} <= {
        c.family for c in catalogue().values() if "DINOv2" in c.family
    }
    answer = vdb_command("models", "--family", "DINOv9")
    assert answer.code == 1
    assert answer.error.startswith("no family 'DINOv9'; did you mean DINOv")


def test_models_show(vdb_command: Command) -> None:
    answer = vdb_command("models", "show", "vit-l")
    said = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    assert said["id"] == "vit_large_patch16_224.augreg_in21k"
    assert (said["layers"], said["widths"], said["pooling"]) == ("24", "1024", "cls")
    answer = vdb_command("models", "show", "vit-1")
    assert answer.code == 1
    assert answer.error.startswith("no model 'vit-1'; did you mean vit-")
    assert answer.error.count("`vdb models` lists them") == 1


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("failures",), ("migrate",), ("report",), ("ingest", "--model", "vit-l")],
)
def test_where_there_is_no_store_nothing_is_made(
    arguments: tuple[str, ...], vdb_command: Command, tmp_path: Path
) -> None:
    answer = vdb_command(*arguments, "--db", "nowhere")
    assert answer.code == 1
    assert answer.error == (
        "no store at nowhere; `vdb add` makes one, `--db` or VDB_DB names another"
    )
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(vdb_command: Command) -> None:
    with pytest.raises(vdb.NotFoundError):
        vdb_command("--debug", "status", "--db", "nowhere")


@pytest.fixture
def study(make_study: Callable[..., Database], tmp_path: Path) -> Path:
    return Path(make_study(tmp_path / "study", 6).uri)


def test_an_output_that_cannot_be_written_is_one_line(study: Path, vdb_command: Command) -> None:
    file = study / "no" / "such.csv"
    for style in ("table", "csv"):
        answer = vdb_command("status", "--db", study, "--format", style, "--output", file)
        assert answer.code == 1
        assert (
            answer.err.splitlines()[-1]
            == f"error: cannot write {file}: the directory {file.parent} is not there"
        )


def test_migrate_says_that_there_is_nothing_to_do_or_what_was_done(
    study: Path, vdb_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = vdb_command("migrate", "--db", study)
    assert (answer.code, answer.err) == (0, "nothing to migrate\n")
    now = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 1)
    assert "run `vdb migrate`" in vdb_command("status", "--db", study).error
    monkeypatch.setitem(MIGRATIONS, now, lambda _: None)
    monkeypatch.setitem(CHANGES, now + 1, "it has more")
    answer = vdb_command("migrate", "--db", study)
    assert (answer.code, answer.err) == (0, f"schema version {now} -> {now + 1}: it has more\n")
    assert vdb_command("status", "--db", study).code == 0


def coco(root: Path) -> tuple[Path, Path]:
    images = root / "photos"
    images.mkdir()
    for i in (1, 2):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(images / f"{i}.png")
    captions = root / "captions.json"
    content = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in (1, 2)],
        "annotations": [{"id": 10 + i, "image_id": i, "caption": f"photo {i}"} for i in (1, 2)],
    }
    captions.write_text(json.dumps(content))
    return images, captions


def test_add_says_what_was_added_and_what_was_there(vdb_command: Command, tmp_path: Path) -> None:
    images, captions = coco(tmp_path)
    command = ("add", "coco", "--images", images, "--captions", captions, "--db", "study")
    answer = vdb_command(*command)
    assert answer.code == 0
    assert answer.out == ""
    assert {"images: 2 added", "captions: 2 added", "pairs: 2 added"} <= set(
        answer.err.splitlines()
    )
    again = vdb_command(*command)
    assert "images: 0 added, 2 there already" in again.err.splitlines()
    assert vdb.open(tmp_path / "study").pairs().collect().height == 2


def test_add_concepts_and_manifest(vdb_command: Command, tmp_path: Path) -> None:
    for name, colour in (("dog", "red"), ("cat", "blue")):
        (tmp_path / "things" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), colour).save(tmp_path / "things" / name / "1.png")
    answer = vdb_command("add", "concepts", "things")
    assert answer.code == 0
    assert "concepts: 2 added" in answer.err.splitlines()
    (tmp_path / "items.csv").write_text("key,words\nc1,a dog\nc2,a cat\n")
    answer = vdb_command(
        "add", "manifest", "items.csv", "--map", "caption_id=key", "--map=caption=words"
    )
    assert "captions: 2 added" in answer.err.splitlines()
    captions = vdb.open(tmp_path / "study").captions().collect()
    assert captions["caption_id"].sort().to_list() == ["c1", "c2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("manifest", "none.csv"), "none.csv"),
        (("manifest", "items.csv", "--map", "caption=wrods"), "did you mean words?"),
        (("manifest", "items.csv", "--map", "captoin=words"), "did you mean caption"),
        (("concepts", "nothing"), "nothing"),
        (("coco", "--images", "nothing", "--captions", "none.json"), "no"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_leaves_no_store(
    arguments: tuple[str, ...], words: str, vdb_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("key,words\nc1,a dog\n")
    answer = vdb_command("add", *arguments)
    assert answer.code == 1
    assert words in answer.error
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("coco", "--images", "nothing", "--captions", "none.json"),
        ("coco", "--images", ".", "--captions", "none.json"),
        ("manifest", "none.csv"),
        ("manifest", "items.csv", "--root", "nothing"),
        ("concepts", "nothing"),
    ],
)
def test_a_place_that_is_not_there_is_told_in_the_words_of_the_adapters(
    arguments: tuple[str, ...], vdb_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("image_path\na.png\n")
    kind, *places = [one for one in arguments if not one.startswith("--")]
    options = {"root": places.pop()} if "--root" in arguments else {}
    with pytest.raises(vdb.VdbError) as refused:
        list(ADAPTERS[kind](*places, **options))
    assert vdb_command("add", *arguments).error == str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--db", "nope"),
        ("failures", "--db", "nope"),
        ("migrate", "--db", "nope"),
        ("report", "--db", "nope"),
        ("ingest", "--model", "vit-l", "--db", "nope"),
        ("analyze", "alignment", "-v", "a", "-l", "b", "--db", "nope"),
        ("analyze", "exemplar-avg", "-v", "a", "-l", "b", "--db", "nope"),
        ("add", "coco", "--images", "nope", "--captions", "nope.json"),
        ("add", "manifest", "nope.csv"),
        ("add", "concepts", "nope"),
    ],
)
def test_a_mistyped_place_is_told_before_anything_heavy_is_imported(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    code = (
        "import sys; from cli.main import main; sys.argv[0] = 'vdb'\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, *{'torch', 'lancedb', 'polars'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("VDB_")},
    )
    assert done.stdout.split() == ["1"]
    assert "nope" in done.stderr


def test_a_mapping_without_an_equals_sign_is_wrong_usage(
    vdb_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("key,words\nc1,a dog\n")
    answer = vdb_command("add", "manifest", "items.csv", "--map", "caption")
    assert answer.code == 2
    assert "'caption' is not FIELD=COLUMN" in answer.err


def test_what_is_the_same_in_every_row_is_said_once() -> None:
    frame = pl.DataFrame({"vision": ["a", "a"], "k": [1, 1], "n_left": [None, None], "x": [1, 2]})
    assert with_facts(frame, {"k"}).splitlines() == [
        "vision a, n left -",
        "",
        "k  x",
        "-  -",
        "1  1",
        "1  2",
    ]
    assert with_facts(frame, set(frame.columns)) == as_table(frame)


def test_tables_align_and_cut_nothing() -> None:
    frame = pl.DataFrame({"name": ["a", None], "n": [1, 12345], "x": [0.5, 2.0], "t": ["a\nb", ""]})
    assert as_table(frame).splitlines() == [
        "name      n      x  t",
        "----  -----  -----  ---",
        "a         1  0.500  a b",
        "-     12345  2.000",
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 kB"), (5 << 20, "5.0 MB"), (3 << 40, "3.0 TB")],
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words
