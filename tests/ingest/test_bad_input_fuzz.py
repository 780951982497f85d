"""Files with bytes and tokens changed at random: rows or an error of vdb's own, and never anything else."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from vdb.errors import VdbError

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 40  # a kind; found so at the first: a process that ended on damaged Parquet, half lines, gzip headers
_TOKEN = re.compile(rb'-?\d+|"[^"\n]*"|\w+')
_TOKENS = [
    *(b'"', b"\\", b"\0", b"\n", b"\r", b",", b"\t", b"{", b"}", b"[", b"]", b" ", b"%", b"#"),
    *(b"null", b"true", b"-1", b"0", b"1.5", b"1e400", b"NaN", b"9" * 20, b"4294967297", b'"x"'),
    *(b"../", b"/etc/passwd", b"file://", b"s3://", b"C:\\\\", b"..", b"a" * 600),
    *(b"\xff", b"\xef\xbb\xbf", b"\\ud83d", b"\x1b[31m", b"\xe2\x80\xa8"),
]


def mutated(whole: bytes, dice: random.Random) -> bytes:
    """Flip a bit, insert, overwrite, delete, repeat or replace, once or several times."""
    data = bytearray(whole)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at, length = dice.randrange(len(data) + 1), dice.choice([1, 2, 5, 20, 80])
        match dice.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at:at] = dice.choice(_TOKENS)
            case 2:
                data[at : at + length] = dice.choice(_TOKENS)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length]
            case _:
                found = list(_TOKEN.finditer(bytes(data)))
                if found:
                    token = dice.choice(found)
                    data[token.start() : token.end()] = dice.choice(_TOKENS)
    return bytes(data)


@pytest.mark.parametrize(
    "kind",
    [
        "coco",
        "flickr8k",
        "manifest-csv",
        "manifest-jsonl",
        "manifest-parquet",
        "trials-csv",
        "trials-jsonl",
        "trials-parquet",
        "things-main",
        "concepts",
        "webdataset",
        "webdataset-gz",
        "pickapic",
    ],
)
def test_whatever_becomes_of_a_file_it_is_added_or_refused(
    kind: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    dice = random.Random(kind)  # noqa: S311 - no secret
    made = small.SMALL[kind](tmp_path / "data")
    whole = {file: file.read_bytes() for file in made.spoilable}
    added = refused = 0
    for _ in range(ROUNDS):
        file = dice.choice(made.spoilable)
        file.write_bytes(mutated(whole[file], dice))
        try:
            adding.check(made.arguments)
        except VdbError as error:
            assert str(error).isprintable()  # noqa: PT017 - or it was added
            refused += 1
        else:
            added += 1
        file.write_bytes(whole[file])
    assert added + refused == ROUNDS
    assert refused > ROUNDS // 3
