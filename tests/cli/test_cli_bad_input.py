"""What went bad after it was added, and hostile names: through ``vdb ingest``, ``status``, ``failures``, ``remove``."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from lancedb.expr import col
from PIL import Image

import vdb
from vdb.blobs import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]

RED_LIE = "a dog \x1b[31mred\x1b]0;title\x07 \u202etxt.exe \u2028 and \x9b1m"
"""Commands of a terminal, marks that turn text around, a separator of lines."""


def png(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(folder: Path, rows: list[dict[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        if "image_path" in row:
            (folder / row["image_path"]).write_bytes(png(number))
    file = folder / "items.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def reasons(vdb_command: Command) -> dict[str, str]:
    """Return the ledger, which must say the same in JSON and in CSV."""
    told = json.loads(vdb_command("failures", "--format", "json").out)
    table = pl.read_csv(io.BytesIO(vdb_command("failures", "--format", "csv").content))
    assert table.sort("item_id")["reason"].to_list() == [
        row["reason"] for row in sorted(told, key=lambda row: row["item_id"])
    ]
    return {row["item_id"]: row["reason"] for row in told}


def test_a_shard_cut_short_and_one_that_is_gone(
    vdb_command: Command, tmp_path: Path, tiny_vision: Path
) -> None:
    shards = [tmp_path / "0.tar", tmp_path / "1.tar"]
    for at, shard in enumerate(shards):
        with tarfile.open(shard, "w") as archive:
            for n in range(2):
                member, data = tarfile.TarInfo(f"{at}{n}.png"), png(2 * at + n)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    assert vdb_command("add", "webdataset", *shards).code == 0
    shards[0].write_bytes(shards[0].read_bytes()[:5000])  # in the midst of the second image
    shards[1].unlink()
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu")
    assert answer.code == 1
    assert "1 stored, 3 failed" in answer.err
    told = reasons(vdb_command)
    assert told.keys() == {"01", "10", "11"}
    assert "cut short" in told["01"]
    assert "No such file" in told["10"]


def test_contents_of_the_store_that_are_damaged_or_gone(
    vdb_command: Command, tmp_path: Path, tiny_vision: Path
) -> None:
    file = write(tmp_path / "d", [{"image_path": f"{n}.png"} for n in range(3)])
    assert vdb_command("add", "manifest", file, "--embed").code == 0
    db = vdb.open("study")
    uris = dict(db.images().select("image_id", "uri").collect().iter_rows())
    digests = {name: uri.removeprefix(EMBEDDED) for name, uri in uris.items()}
    blobs = db.table("blobs")
    blobs.delete(col("key") == digests["1.png"])
    blobs.update(where=col("key") == digests["2.png"], values={"data": b"not these"})
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu")
    assert "1 stored, 2 failed" in answer.err
    told = reasons(vdb_command)
    assert "the store holds no content" in told["1.png"]
    assert "changed since it was added" in told["2.png"]


def test_a_caption_of_a_megabyte_is_cut_and_counted(
    vdb_command: Command, tmp_path: Path, tiny_language: Path
) -> None:
    rows = [
        {"caption": "the dog runs", "caption_id": "short"},
        {"caption": "the dog runs " * 80_000, "caption_id": "long"},
    ]
    assert vdb_command("add", "manifest", write(tmp_path / "d", rows)).code == 0
    answer = vdb_command("ingest", "--model", tiny_language, "--device", "cpu")
    assert answer.code == 0
    assert "2 stored, 0 failed, 1 texts truncated" in answer.err


NAMES = [
    "../../x",
    "a|b",
    "<script>alert(1)</script>",
    "'; DROP TABLE images; --",
    "\\",
    "😀 dogs",
    "--yes",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_data_set_is_shown_and_can_be_removed(
    name: str, vdb_command: Command, tmp_path: Path
) -> None:
    rows = [{"image_path": "1.png", "caption": "A dog."}]
    file = write(tmp_path / "d", rows)
    outside = write(tmp_path / "x", rows)
    assert vdb_command("add", "manifest", file, f"--name={name}").code == 0
    assert vdb_command("add", "manifest", outside, "--name", "b", "--prefix", "b/").code == 0
    assert name in vdb_command("status").out
    assert vdb_command("remove", "dataset", "--yes", "--", name).code == 0
    assert outside.exists()
    status = vdb_command("status").out.split("\n")
    assert [line.split()[:3] for line in status[2:3]] == [["b", "1", "1"]]


def test_nothing_that_a_terminal_obeys_is_printed(vdb_command: Command, tmp_path: Path) -> None:
    rows = [{"caption": RED_LIE, "caption_id": "c"}, {"caption": "A dog.", "caption_id": "d"}]
    assert vdb_command("add", "manifest", write(tmp_path / "d", rows)).code == 0
    shown = vdb_command("variants", "show", "uppercase", "--id", "c")
    bad = [{"caption": "x", "caption_id": "c", f"odd {RED_LIE}": "1"}]
    refused = vdb_command("add", "manifest", write(tmp_path / "e", bad))
    assert refused.code == 1
    missing = vdb_command("add", "manifest", tmp_path / f"gone {RED_LIE}.csv")
    assert missing.code == 1
    assert len(shown.out.splitlines()) == 2
    for text in (shown.out, refused.err, missing.err):
        assert "\\x1b" in text or "\\u202e" in text
        assert all(line.isprintable() for line in text.splitlines())
