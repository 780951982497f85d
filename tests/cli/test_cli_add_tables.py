"""``vdb add manifest``, ``concepts`` and ``things`` as a person meets them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Command = Callable[..., Any]


def photo(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_a_manifest_of_ready_made_variants(tmp_path: Path, vdb_command: Command) -> None:
    for grey, name in enumerate(("a.png", "b.png")):
        (tmp_path / name).write_bytes(photo(grey))
    (tmp_path / "items.csv").write_text(
        "image_id,image_path,variant,variant_kind\nA,a.png,,\nA,b.png,their-inpainting,semantic\n"
    )
    answer = vdb_command("add", "manifest", "items.csv")
    assert answer.code == 0
    assert sorted(answer.err.splitlines()) == [
        "image_variants: 1 added",
        "images: 1 added",
        "variants: 1 added",
    ]
    (tmp_path / "wrong.csv").write_text("image_id,image_path,variant\nA,b.png,grayscale\n")
    answer = vdb_command("add", "manifest", "wrong.csv")
    assert answer.code == 1
    assert answer.error.startswith("wrong.csv:2: vdb makes the variant 'grayscale' itself")


def test_concepts_with_captions(tmp_path: Path, vdb_command: Command) -> None:
    (tmp_path / "data/cup").mkdir(parents=True)
    (tmp_path / "data/cup/a.png").write_bytes(photo(1))
    (tmp_path / "c.csv").write_text("file,text\ncup/a.png,A cup.\n")
    command = ("add", "concepts", "data", "--map", "image_path=file", "--map", "caption=text")
    answer = vdb_command(*command)
    assert answer.code == 2
    assert "--captions" in answer.err
    answer = vdb_command(*command, "--captions", "gone.csv")
    assert answer.error == "gone.csv: there is no such file"
    answer = vdb_command(*command, "--captions", "c.csv")
    assert answer.code == 0
    db = vdb.open("study")
    assert db.captions().collect()["concept_id"].to_list() == ["cup"]
    assert db.read("pairs").collect()["image_id"].to_list() == ["cup/a.png"]


def test_a_part_of_things_is_told(tmp_path: Path, vdb_command: Command) -> None:
    home = tmp_path / "THINGS"
    for name, text in {
        "Metadata/Concept-specific/unique_id.csv": "bat1\nbat2\n",
        "Metadata/Concept-specific/image_concept_index.csv": "1\n2\n",
        "Metadata/Image-specific/image_paths.csv": "images/bat1/a.png\nimages/bat2/b.png\n",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "Images/bat1").mkdir(parents=True)
    (home / "Images/bat1/a.png").write_bytes(photo(1))
    answer = vdb_command("add", "things", ".")
    assert answer.code == 0
    assert "left out 1 of the 2 photos, bat2/b.png first" in answer.err
    assert vdb.open("study").read("concepts").collect().select("concept_id", "name").rows() == [
        ("bat1", "bat")
    ]
    answer = vdb_command("add", "things", "THINGS/Metadata")
    assert answer.error.startswith("THINGS/Metadata holds neither Variables nor Metadata")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos-of-the-command-line")
    for key, grey in {"set one/a #1.png": 10, "set one/b.png": 200}.items():
        client.put_object(Bucket="photos-of-the-command-line", Key=key, Body=photo(grey))
    try:
        yield "s3://photos-of-the-command-line"
    finally:
        server.stop()


def test_images_of_a_bucket_go_through_a_model(
    bucket: str, tmp_path: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    torch.set_num_threads(1)
    (tmp_path / "items.csv").write_text("image_path\na #1.png\nb.png\n")
    answer = vdb_command("add", "manifest", "items.csv", "--root", f"{bucket}/set one")
    assert answer.code == 0
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu")
    assert answer.code == 0, answer.err
    [row] = json.loads(vdb_command("status", "--format", "json").out)
    assert (row["stored"], row["failed"]) == (2, 0)
    (tmp_path / "items.csv").write_text("image_path\n../secret.png\n")
    answer = vdb_command("add", "manifest", "items.csv", "--root", f"{bucket}/set one")
    assert answer.code == 1
    assert answer.error.startswith("items.csv:2: '../secret.png' lies outside")


def test_a_data_set_that_is_there_under_another_name_is_not_made_and_that_is_told(
    tmp_path: Path, vdb_command: Command
) -> None:
    (tmp_path / "items.csv").write_text("caption_id,caption\n1,A dog.\n2,A cat.\n")
    assert vdb_command("add", "manifest", "items.csv").err == "captions: 2 added\n"
    answer = vdb_command("add", "manifest", "items.csv", "--name", "other")
    assert (answer.code, answer.err.splitlines()) == (
        0,
        [
            "captions: 0 added, 2 there already (2 in data set 'items')",
            "no data set 'other' was made, as all of it was there; --prefix keeps the two apart",
        ],
    )
    again = vdb_command("add", "manifest", "items.csv")
    assert again.err == "captions: 0 added, 2 there already\n"
    (tmp_path / "more.csv").write_text("caption_id,caption\n1,A dog.\n3,A cow.\n")
    assert "no data set" not in vdb_command("add", "manifest", "more.csv").err
    apart = vdb_command("add", "manifest", "items.csv", "--name", "other", "--prefix", "o/")
    assert apart.err == "captions: 2 added\n"
