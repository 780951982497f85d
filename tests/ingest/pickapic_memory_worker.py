"""Makes a file of forced choices out of a few, or adds one to a store; prints the peak memory of its process in bytes.

``make FEW N FILE`` or ``add FILE STORE``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_GROUP = 1000


def other(jpeg: bytes, number: int) -> bytes:
    """Return the same picture with a comment of its own: other content of much the same length."""
    comment = b"image %d" % number
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def row(few: list[dict[str, Any]], i: int) -> dict[str, Any]:
    like = few[i % len(few)]
    return like | {
        "caption": f"{like['caption']}, {i // 4}",
        "image_0_uid": f"uid-{2 * i}",
        "image_1_uid": f"uid-{2 * i + 1}",
        "jpg_0": other(like["jpg_0"], 2 * i),
        "jpg_1": other(like["jpg_1"], 2 * i + 1),
        "ranking_id": i,
    }


def make(template: Path, rows: int, file: Path) -> None:
    few = pq.read_table(template)
    likes = few.to_pylist()
    with pq.ParquetWriter(file, few.schema) as writer:
        for start in range(0, rows, ROWS_A_GROUP):
            part = [row(likes, i) for i in range(start, start + ROWS_A_GROUP)]
            writer.write_table(pa.Table.from_pylist(part, few.schema))


def add(file: Path, store: Path) -> None:
    from ingest.add import add_dataset  # noqa: PLC0415 - not for making the file
    from ingest.datasets import pickapic  # noqa: PLC0415 - as above

    _, report = add_dataset(str(store), pickapic(file), print)
    status = Path("/proc/self/status").read_text().splitlines()
    [peak] = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")]
    print(report.added["trials"], report.embedded, peak)  # noqa: T201 - the other end of the pipe


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task == "make":
        make(Path(arguments[0]), int(arguments[1]), Path(arguments[2]))
    else:
        add(Path(arguments[0]), Path(arguments[1]))
