from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from vdb import blobs
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdb.database import Database


def named(*contents: bytes) -> list[tuple[str, bytes]]:
    return [(hashlib.sha256(data).hexdigest(), data) for data in contents]


def read(db: Database, data: bytes) -> bytes:
    return blobs.Blobs(db).read(blobs.embedded_uri(hashlib.sha256(data).hexdigest()))


def test_bytes_come_back_once_for_each_content(db: Database) -> None:
    every = [b"", b"\x00\xff", b"one" * 1000, bytes(range(256))]
    assert blobs.keep(db, named(*every, every[1])) == 4
    assert db.table("blobs").count_rows() == 4
    assert [read(db, data) for data in every] == every


def test_what_is_there_already_is_passed_over_within_a_call_and_between_calls(
    db: Database,
) -> None:
    assert blobs.keep(db, named(b"a", b"b")) == 2
    version = db.table("blobs").version
    assert blobs.keep(db, named(b"b", b"a", b"a")) == 0
    assert db.table("blobs").version == version
    assert blobs.keep(db, named(b"b", b"c")) == 1
    assert blobs.keep(db, []) == 0
    assert db.table("blobs").count_rows() == 3


def test_bytes_that_are_not_those_of_their_digest_are_refused(db: Database) -> None:
    [(digest, _)] = named(b"as it was hashed")
    with pytest.raises(InputError, match=f"{digest[:12]}.* changed while it was added"):
        blobs.keep(db, [*named(b"good"), (digest, b"as it is now")])
    assert db.table("blobs").count_rows() == 0


def test_many_pieces_are_committed_as_they_fill_up_and_taken_one_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "BYTES_A_COMMIT", 1000)
    contents = [bytes([i]) * 300 for i in range(10)]
    committed: list[int] = []

    def stream() -> Iterator[tuple[str, bytes]]:
        for one in named(*contents, contents[0]):
            committed.append(db.table("blobs").count_rows())
            yield one

    assert blobs.keep(db, stream()) == 10
    # A commit after each fourth image, as 4 x 300 passes 1,000; the first content stands there already at the end.
    assert committed == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8]
    assert [read(db, data) for data in contents] == contents


def test_a_content_that_is_not_held_is_said(db: Database) -> None:
    with pytest.raises(NotFoundError, match="add the image again"):
        read(db, b"never added")


def test_a_reader_reads_what_was_there_when_it_was_made(db: Database) -> None:
    blobs.keep(db, named(b"a"))
    reader = blobs.Blobs(db)
    blobs.keep(db, named(b"b"))
    assert reader.read(blobs.embedded_uri(named(b"a")[0][0])) == b"a"
    with pytest.raises(NotFoundError):
        reader.read(blobs.embedded_uri(named(b"b")[0][0]))
    assert read(db, b"b") == b"b"
