"""Webdataset: members that would leave the archive, that are no files, that are damaged; each names its shard."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ingest.datasets import webdataset
from ingest.datasets.webdataset import tar as webdataset_tar
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Jpeg = Callable[[int], bytes]


def pack(
    shard: Path, members: Iterable[tuple[str, bytes] | tarfile.TarInfo], mode: Any = "w"
) -> Path:
    with tarfile.open(shard, mode) as archive:
        for one in members:
            if isinstance(one, tarfile.TarInfo):
                archive.addfile(one)
            else:
                member = tarfile.TarInfo(one[0])
                member.size = len(one[1])
                archive.addfile(member, io.BytesIO(one[1]))
    return shard


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def refused(shard: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(webdataset(shard, **options))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(shard.name)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "..", "x/..", "..\\a.jpg", "//a.jpg"]
)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_name_that_leaves_the_archive(name: str, mode: str, jpeg: Jpeg, tmp_path: Path) -> None:
    shard = pack(tmp_path / "s.tar", [("a.jpg", jpeg(0)), (name, jpeg(1))], mode)
    message = refused(shard)
    assert f"member {name!r}" in message
    assert "outside" in message


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        (special("b.jpg", tarfile.SYMTYPE, "/etc/passwd"), "a link"),
        (special("b.jpg", tarfile.SYMTYPE, "a.jpg"), "a link"),
        (special("b.jpg", tarfile.LNKTYPE, "a.jpg"), "a link"),
        (special("b.jpg", tarfile.CHRTYPE), "a device or a pipe"),
        (special("b.jpg", tarfile.BLKTYPE), "a device or a pipe"),
        (special("b.jpg", tarfile.FIFOTYPE), "a device or a pipe"),
    ],
)
def test_what_is_no_file(member: tarfile.TarInfo, kind: str, jpeg: Jpeg, tmp_path: Path) -> None:
    shard = pack(tmp_path / "s.tar", [("a.jpg", jpeg(0)), member])
    assert f"s.tar: member 'b.jpg' is {kind}" in refused(shard)


def test_directories_are_no_samples(jpeg: Jpeg, tmp_path: Path) -> None:
    shard = pack(tmp_path / "s.tar", [special("d", tarfile.DIRTYPE), ("d/a.jpg", jpeg(0))])
    first, last = webdataset(shard)
    assert first.images["image_id"].to_list() == ["d/a"]
    assert last.notices == ()


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["a.jpg", "b.jpg", "a.jpg"], "member 'a.jpg': the sample 'a' stood earlier in the shard"),
        (["a.jpg", "b.jpg", "a.txt"], "member 'a.txt': the sample 'a' stood earlier"),
        (["a.jpg", "a.jpg"], "member 'a.jpg' stands there twice"),
        (["a.jpg", "a.png"], "member 'a.png' is a second image of the sample 'a'"),
    ],
)
def test_keys_that_repeat(names: list[str], complaint: str, jpeg: Jpeg, tmp_path: Path) -> None:
    assert complaint in refused(pack(tmp_path / "s.tar", [(name, jpeg(0)) for name in names]))


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("a.txt", b"caf\xe9", "member 'a.txt' is not UTF-8 (byte 0xe9 at 3)"),
        ("a.json", b'{"caption": "caf\xe9"}', "member 'a.json' is not UTF-8"),
        ("a.json", b'{"caption": ', "member 'a.json':1: malformed JSON"),
        ("a.json", b"[" * 100_000, "JSON that cannot be data"),
        ("a.json", b'["caption"]', "member 'a.json' is an array; it must be an object"),
        ("a.json", b'{"caption": 3}', "member 'a.json': caption is a whole number"),
        ("a.json", b'{"caption": ["x", null]}', "caption is null; it must be text"),
        ("a.json", b'{"caption": "\\ud83d"}', "half a character"),
        ("b.jpg", b"<html>", "member 'b.jpg' is no image: it begins with b'<html>'"),
        ("b.jpg", b"", "member 'b.jpg' is no image"),
    ],
)
def test_a_member_that_is_not_what_it_is_called(
    name: str, data: bytes, complaint: str, jpeg: Jpeg, tmp_path: Path
) -> None:
    shard = pack(tmp_path / "s.tar", [("a.jpg", jpeg(0)), (name, data)])
    assert complaint in refused(shard, max_broken=0)


def test_a_member_too_large_is_refused_by_its_header(
    jpeg: Jpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset_tar, "LARGEST_MEMBER", 5000)
    bomb = ("b.jpg", bytes(100_000))
    for mode in ("w", "w:gz"):
        message = refused(pack(tmp_path / "s.tar", [("a.jpg", jpeg(0)), bomb], mode))
        assert "member 'b.jpg' has 100,000 bytes; at most 5,000 are read" in message


@pytest.fixture
def whole(jpeg: Jpeg, tmp_path: Path) -> bytes:
    return pack(tmp_path / "whole.tar", [(f"{i}.jpg", jpeg(i)) for i in range(3)]).read_bytes()


def test_an_archive_cut_anywhere_is_refused(whole: bytes, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        starts = [member.offset for member in archive]
        end = archive.offset  # of the last member; what follows is empty
    shard = tmp_path / "s.tar"
    cuts = [
        0,
        100,
        *starts[1:],
        *(start + 100 for start in starts),
        *(start + 600 for start in starts),
        end,
    ]
    for cut in cuts:
        shard.write_bytes(whole[:cut])
        assert "cut short" in refused(shard), cut
    shard.write_bytes(whole[: end + 512])  # one empty block is the least that ends an archive
    assert sum(len(batch.images) for batch in webdataset(shard)) == 3


@pytest.mark.parametrize("mode", ["plain", "gz"])
def test_a_damaged_header_is_no_end(mode: str, whole: bytes, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        second = archive.getmembers()[1].offset
    data = bytearray(whole)
    data[second : second + 8] = b"\xff" * 8
    shard = tmp_path / "s.tar"
    shard.write_bytes(gzip.compress(bytes(data)) if mode == "gz" else bytes(data))
    assert "cut short or damaged after '0.jpg'" in refused(shard)


def test_compressed_archives_cut_short(whole: bytes, tmp_path: Path) -> None:
    data = gzip.compress(whole)
    shard = tmp_path / "s.tar.gz"
    for cut in (2, len(data) // 3, 2 * len(data) // 3):
        shard.write_bytes(data[:cut])
        assert "cut short" in refused(shard), cut


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 a zip", b"<html></html>" * 100, b"\x28\xb5\x2f\xfd" * 300]
)
def test_what_is_no_tar(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(data)
    assert "cut short or damaged after its beginning" in refused(tmp_path / "s.tar")


def test_no_sample_at_all(tmp_path: Path) -> None:
    assert "no sample with an image in 1 shards" in refused(pack(tmp_path / "s.tar", []))
    about = json.dumps({"caption": "x"}).encode()
    assert "no sample with an image" in refused(pack(tmp_path / "s.tar", [("a.json", about)]))
