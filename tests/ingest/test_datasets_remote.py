"""Images in an object store: a real S3 server on loopback, from a manifest to the bytes that a model would see."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.add import add_dataset
from ingest.datasets import manifest
from ingest.datasets.files import RemoteRoot, Root, root_of
from ingest.sources import Sources, read_bytes
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

KEYS = [
    "photos/a.jpg",
    "photos/with space.jpg",
    "photos/num#1?.jpg",
    "photos/100%.jpg",
    "photos/a%20b.jpg",
    "photos/deep/\u05e9\u05dc\u05d5\u05dd+&=.jpg",
    "photos/it's;[1].jpg",
    "private/secret.jpg",
]
BUCKET = "remote-images"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Put objects of hostile names into a bucket, and say by the environment alone where it is."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for key in KEYS:
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        try:
            yield f"s3://{BUCKET}"
        finally:
            server.stop()


def write(folder: Path, paths: list[str]) -> Path:
    file = folder / "remote.jsonl"
    file.write_text("\n".join(json.dumps({"image_path": path}) for path in paths))
    return file


@pytest.mark.parametrize("embed", [False, True])
def test_objects_of_any_name_are_hashed_stored_and_read(
    bucket: str, tmp_path: Path, embed: bool
) -> None:
    names = [key.removeprefix("photos/") for key in KEYS if key.startswith("photos/")]
    batches = manifest(write(tmp_path, names), root=f"{bucket}/photos", prefix="r/")
    db, _ = add_dataset(str(tmp_path / "study"), batches, lambda _: None, embed=embed)
    stored = db.images().collect()
    sources = Sources(db)
    assert dict(stored.select("image_id", "sha256").rows()) == {
        f"r/{name}": hashlib.sha256(f"photos/{name}".encode()).hexdigest() for name in names
    }
    for row in stored.iter_rows(named=True):
        assert row["uri"].startswith("embedded:" if embed else f"{bucket}/photos/")
        assert sources.read(row["uri"]).decode() == "photos/" + row["image_id"].removeprefix("r/")


def test_uris_and_windows_paths_name_the_same_objects(bucket: str, tmp_path: Path) -> None:
    written = [
        f"{bucket}/photos/with%20space.jpg",
        f"{bucket}/photos/num#1?.jpg",
        "deep\\..\\a.jpg",
    ]
    [batch] = manifest(write(tmp_path, written), root=f"{bucket}/photos/")
    assert [read_bytes(uri).decode() for uri in batch.images["uri"]] == [
        "photos/with space.jpg",
        "photos/num#1?.jpg",
        "photos/a.jpg",
    ]


def test_what_is_not_there_names_its_line_and_is_counted(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(manifest(write(tmp_path, ["a.jpg", "no.jpg", "nope.jpg"]), root=f"{bucket}/photos"))
    assert str(caught.value).startswith(f"remote.jsonl:2: {bucket}/photos/no.jpg cannot be read: ")
    assert str(caught.value).endswith("(2 of 3 files fail so)")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "../private/secret.jpg",
        "deep/../../private/secret.jpg",
        "..\\private\\secret.jpg",
        f"s3://{BUCKET}/private/secret.jpg",
        f"s3://{BUCKET}/photos/../private/secret.jpg",
        f"s3://{BUCKET}/photos/%2e%2e/private/secret.jpg",
        f"s3://{BUCKET}/photosque/secret.jpg",
        "s3://another/photos/a.jpg",
        "gs://remote-images/photos/a.jpg",
        "/private/secret.jpg",
        "C:\\photos\\a.jpg",
        "a\0.jpg",
        ".",
        f"s3://{BUCKET}/photos/",
    ],
)
def test_nothing_leaves_the_root(path: str) -> None:
    with pytest.raises(InputError):
        RemoteRoot(f"s3://{BUCKET}/photos").locate(path)


@given(written=st.text(st.characters(exclude_categories=["Cs"])))
@example("a/../../../photos/x")
@example("%2e%2e/secret")
@example(f"S3://{BUCKET}/photos/x")
def test_whatever_is_written_lies_under_the_root_or_is_refused(written: str) -> None:
    try:
        uri = RemoteRoot(f"s3://{BUCKET}/photos").locate(written)
    except InputError:
        return
    assert uri.startswith(f"s3://{BUCKET}/photos/")
    assert ".." not in uri.split("/")
    assert uri.isascii()
    assert "#" not in uri
    assert "?" not in uri


def test_a_root_keeps_its_options() -> None:
    root = RemoteRoot(f"s3://{BUCKET}/photos?region=eu-west-1")
    assert root.locate("a b.jpg") == f"s3://{BUCKET}/photos/a%20b.jpg?region=eu-west-1"
    assert RemoteRoot("s3://b").locate("a.jpg") == "s3://b/a.jpg"
    with pytest.raises(InputError, match=r"climbs with '\.\.'"):
        RemoteRoot("s3://b/x/../y")


def test_a_root_is_chosen_by_how_it_is_written(tmp_path: Path) -> None:
    assert isinstance(root_of(tmp_path), Root)
    assert isinstance(root_of("s3://bucket"), RemoteRoot)


def test_windows_separators_are_understood_where_no_file_has_them(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    for name in ("img/a.jpg", "img\\b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    root: Any = Root(tmp_path)
    assert root.locate("img\\a.jpg") == str(tmp_path / "img/a.jpg")
    assert root.locate("img\\b.jpg") == str(tmp_path / "img\\b.jpg")
    for path in ("..\\x.jpg", "img\\..\\..\\x.jpg", "C:\\x.jpg", "\\\\server\\x.jpg"):
        with pytest.raises(InputError):
            root.locate(path)
