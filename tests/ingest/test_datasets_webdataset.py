"""Webdataset: the samples of tar shards, images read where they lie in the archive."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.add import add_dataset
from ingest.datasets import streams, webdataset
from ingest.sources import Sources
from vdb.blobs import EMBEDDED
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vdb.database import Database

    Jpeg = Callable[[int], bytes]
    Files = Sequence[tuple[str, bytes]]


def pack(shard: Path, files: Files, mode: Any = "w") -> Path:
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, mode) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return shard


def sample(key: str, image: bytes, caption: str) -> list[tuple[str, bytes]]:
    """As img2dataset writes one."""
    about = {"caption": caption, "key": key, "status": "success", "width": 64, "exif": "{}"}
    return [
        (f"{key}.jpg", image),
        (f"{key}.json", json.dumps(about).encode()),
        (f"{key}.txt", caption.encode()),
    ]


@pytest.fixture
def shards(jpeg: Jpeg, tmp_path: Path) -> Path:
    """Three shards of two samples: 000000000 and 000000001, 000010000, ..."""
    for shard in range(3):
        files = [
            one
            for i in range(2)
            for one in sample(f"{shard:05d}{i:04d}", jpeg(2 * shard + i), f"caption {shard} {i}")
        ]
        pack(tmp_path / "cc" / f"{shard:05d}.tar", files)
    return tmp_path / "cc"


def told(
    *patterns: object, store: Path, embed: bool = False, **options: Any
) -> tuple[Database, list[str]]:
    said: list[str] = []
    db, _ = add_dataset(
        str(store), webdataset(*map(str, patterns), **options), said.append, embed=embed
    )
    return db, said


def images(db: Database) -> dict[str, bytes]:
    """Id -> the bytes that ingest would read."""
    sources = Sources(db)
    return {
        one: sources.read(uri)
        for one, uri in db.images().select("image_id", "uri").collect().iter_rows()
    }


def captions(db: Database) -> list[tuple[str, str]]:
    joined = db.pairs().join(db.captions(), on="caption_id")
    return sorted(joined.select("image_id", "text").collect().rows())


def test_samples_are_images_by_place_and_their_captions(
    shards: Path, jpeg: Jpeg, tmp_path: Path
) -> None:
    db, said = told(shards / "{00000..00002}.tar", store=tmp_path / "study")
    assert said == []
    keys = [f"{shard:05d}{i:04d}" for shard in range(3) for i in range(2)]
    assert images(db) == {key: jpeg(number) for number, key in enumerate(keys)}
    assert captions(db) == [(key, f"caption {int(key[:5])} {int(key[5:])}") for key in keys]
    rows = db.images().collect().sort("image_id")
    assert all(str(shards) in uri and ".tar#" in uri for uri in rows["uri"])
    assert rows["source"][0] == "00000.tar:000000000.jpg"
    assert set(rows["dataset"]) == {"cc"}
    assert db.table("blobs").count_rows() == 0
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == []  # nothing was extracted


def test_embedded_the_store_stands_alone(shards: Path, tmp_path: Path) -> None:
    by_place, _ = told(shards / "*.tar", store=tmp_path / "by-place")
    expected = images(by_place)
    db, _ = told(shards / "*.tar", store=tmp_path / "study", embed=True)
    for shard in shards.iterdir():
        shard.unlink()
    assert images(db) == expected
    with pytest.raises(InputError, match=r"00000\.tar.*cannot be read"):
        images(by_place)


def test_shards_by_name_wildcard_and_braces_each_once(shards: Path, tmp_path: Path) -> None:
    patterns = (shards / "00001.tar", shards / "*0[12].tar", shards / "{00002,00001}.tar")
    db, _ = told(*patterns, store=tmp_path / "study", name="two", prefix="p/")
    assert sorted(images(db)) == ["p/000010000", "p/000010001", "p/000020000", "p/000020001"]
    assert set(db.captions().collect()["dataset"]) == {"two"}
    odd = shards.parent / "{a}.tar"
    (shards / "00000.tar").rename(odd)  # a name that is a pattern too
    assert sum(len(batch.images) for batch in webdataset(odd)) == 2


@pytest.mark.parametrize(
    ("pattern", "kind", "complaint"),
    [
        ("{00000..00003}.tar", NotFoundError, "00003.tar of .*there is no such shard"),
        ("none*.tar", NotFoundError, "there is no such shard"),
        ("{00000..00002.tar", InputError, "there is no such shard|braces do not match"),
        ("s3://bucket/{0..2}.tar", InputError, "only shards on this machine"),
        ("pipe:curl https://example.org/0.tar", InputError, "only shards on this machine"),
    ],
)
def test_shards_that_are_not_there(
    pattern: str, kind: type[Exception], complaint: str, shards: Path
) -> None:
    at = pattern if ":" in pattern else str(shards / pattern)
    with pytest.raises((kind, NotFoundError), match=complaint):
        list(webdataset(at))


def test_captions_of_text_and_json_alike_are_one(jpeg: Jpeg, tmp_path: Path) -> None:
    about = {"caption": "A dog.", "more": ["A hound.", "A dog."], "none": None}
    files = [
        ("a.png", jpeg(0)),
        ("a.txt", b"\xef\xbb\xbfA dog.\r\n"),
        ("a.json", json.dumps(about).encode()),
    ]
    shard = pack(tmp_path / "s.tar", files)
    db, _ = told(shard, store=tmp_path / "one")
    assert captions(db) == [("a", "A dog.")]
    db, _ = told(shard, store=tmp_path / "more", caption_keys=["caption", "more", "none", "absent"])
    assert captions(db) == [("a", "A dog."), ("a", "A hound.")]


def test_what_is_left_out_is_counted(jpeg: Jpeg, tmp_path: Path) -> None:
    files = [
        ("dir/a.jpg", jpeg(0)),
        ("dir/a.cls", b"3"),
        ("dir/b.txt", b"no image"),
        ("dir/c.d.jpg", jpeg(1)),  # webdataset: the key ends at the first dot
        ("dir/e.JPG", jpeg(2)),
        ("dir/e.txt", b" \n"),
    ]
    db, said = told(pack(tmp_path / "s.tar", files), store=tmp_path / "study")
    assert sorted(images(db)) == ["dir/a", "dir/e"]
    assert captions(db) == []
    assert sorted(said) == [
        "left out 1 captions that are blank (first: s.tar: member 'dir/e.txt')",
        "left out 2 samples without an image (first: s.tar: 'dir/b')",
        "passed over 2 members that are neither image, .txt nor .json (first: s.tar: 'dir/a.cls')",
    ]


@pytest.mark.parametrize("name", ["s.tar.gz", "s.tar.bz2", "s.tar.xz", "s.tgz", "s.wds"])
def test_images_without_a_place_are_taken_into_the_store(
    name: str, jpeg: Jpeg, tmp_path: Path
) -> None:
    mode = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz", "tgz": "w:gz"}.get(
        name.rpartition(".")[2], "w"
    )
    shard = pack(
        tmp_path / name, sample("a", jpeg(0), "A dog.") + sample("b", jpeg(1), "A cat."), mode
    )
    db, said = told(shard, store=tmp_path / "study")
    assert said == [
        f"1 shards are compressed or not called .tar, so the store took their images in (first: {name})"
    ]
    assert all(uri.startswith(EMBEDDED) for uri in db.images().collect()["uri"])
    shard.unlink()
    assert images(db) == {"a": jpeg(0), "b": jpeg(1)}


def test_a_limit_is_of_samples_with_an_image(shards: Path, tmp_path: Path) -> None:
    db, _ = told(shards / "*.tar", store=tmp_path / "study", limit=3)
    assert sorted(images(db)) == ["000000000", "000000001", "000010000"]


def test_after_a_bad_shard_the_same_command_goes_on(
    shards: Path,
    everything: Callable[[Database], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ROWS_A_BATCH", 3)
    bad = shards / "00002.tar"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:700])
    with pytest.raises(
        InputError, match=r"00002\.tar: .*cut short.*\[stored before that: 4 images"
    ):
        told(shards / "*.tar", store=tmp_path / "study")
    bad.write_bytes(whole)
    db, _ = told(shards / "*.tar", store=tmp_path / "study")
    clean, _ = told(shards / "*.tar", store=tmp_path / "clean")
    assert everything(db) == everything(clean)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)
KEYS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="./\\"),
    min_size=1,
    max_size=30,
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(held=st.dictionaries(KEYS, TEXTS, min_size=1, max_size=5))
def test_any_key_and_caption_come_out_as_they_went_in(
    held: dict[str, str], jpeg: Jpeg, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("hostile")
    files = [
        one for i, (key, text) in enumerate(held.items()) for one in sample(key, jpeg(i), text)
    ]
    db, _ = told(pack(place / "s.tar", files), store=place / "study")
    assert captions(db) == sorted((key, text.strip()) for key, text in held.items())
    assert images(db) == {key: jpeg(i) for i, key in enumerate(held)}
