"""Where an image's bytes come from: members of an archive by their place in it."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources import is_remote, member_uri, read_bytes
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Make an archive of three members, its name a hard one."""
    file = tmp_path / "a #1:2 {0..9} dir" / "x.tar#0:1.tar"
    file.parent.mkdir()
    with tarfile.open(file, "w") as made:
        for name, data in (("one", b"1"), ("none", b""), ("three", b"333" * 1000)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return file


def test_a_member_is_read_where_it_lies(archive: Path) -> None:
    with tarfile.open(archive) as made:
        places = {member.name: (member.offset_data, member.size) for member in made}
    read = {name: read_bytes(member_uri(str(archive), *at)) for name, at in places.items()}
    assert read == {"one": b"1", "none": b"", "three": b"333" * 1000}


def test_an_archive_that_became_shorter_says_so(archive: Path) -> None:
    with tarfile.open(archive) as made:
        last = made.getmembers()[-1]
    uri = member_uri(str(archive), last.offset_data, last.size)
    archive.write_bytes(archive.read_bytes()[: last.offset_data + 10])
    with pytest.raises(
        InputError, match="cannot be read: the archive has 10 of these 3000 bytes"
    ) as caught:
        read_bytes(uri)
    assert uri in str(caught.value)
    archive.unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_bytes(uri)


def test_a_file_that_is_called_like_a_member_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"the archive")
    uri = member_uri(str(tmp_path / "x.tar"), 4, 7)
    assert read_bytes(uri) == b"archive"
    (tmp_path / "x.tar#4:7").write_bytes(b"itself")
    assert read_bytes(uri) == b"itself"


@given(st.integers(0, 2**40), st.integers(0, 2**31))
def test_a_member_is_no_remote_address(offset: int, size: int) -> None:
    assert not is_remote(member_uri("/shards/0.tar", offset, size))
