"""Adding a manifest of 100,000 captions to a new store, against pyarrow's reading and writing of the same columns.

The manifest has a row a caption (``caption_id``, ``caption``, ``concept_id``, ``image_id``, ``image_path``) of 1,000
small images of 50 concepts, as CSV, JSON Lines and Parquet. vdb reads it, checks it, hashes the images, looks every id
up in the store and commits four tables. pyarrow reads the same file, writes the same columns of the same rows as those
tables have in the store (keys and sources included, made before the clock starts) as Parquet, its own format, and reads
them back: a reader of the store gets no less. It hashes no file and checks nothing.

A second ratio, without a goal, is against the manifest's five columns alone, written and read back. What is timed of
vdb is the whole of what ``vdb add manifest`` calls: the store is made, too. CPU time is that of all threads.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from benchmarks.ratio import Ratio, interleaved
from ingest.add import add_dataset
from ingest.datasets import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from vdb.database import Database

IMAGES, CONCEPTS, WORDS = 1_000, 50, 10
GOAL = 5.0
TABLES = ("concepts", "images", "captions", "pairs")
READERS: dict[str, Callable[[Path], pa.Table]] = {
    "csv": pa_csv.read_csv,
    "jsonl": pa_json.read_json,
    "parquet": pq.read_table,
}


def main(quick: bool = False) -> list[Ratio]:
    """Print the ratios and return them.

    Parameters
    ----------
    quick : bool
        10,000 rows instead of 100,000, and fewer turns; without a goal, as what does not grow with the rows weighs.
    """
    rows, repeats = (10_000, 5) if quick else (100_000, 15)
    place = Path(tempfile.mkdtemp(prefix="vdb-bench-"))
    found: list[Ratio] = []
    try:
        files = _write(place, rows)
        for kind, file in files.items():
            found += _against_pyarrow(place, kind, file, rows, repeats)
    finally:
        shutil.rmtree(place)
    return found


def _write(place: Path, rows: int) -> dict[str, Path]:
    (place / "img").mkdir()
    for i in range(IMAGES):
        (place / "img" / f"{i:06d}.jpg").write_bytes(str(i).encode())
    words = np.array(
        ["a", "dog", "cat", "on", "the, well,", "grass", "near", "two", "people", "tall"]
    )
    drawn = words[np.random.default_rng(0).integers(0, len(words), (rows, WORDS))]
    image = np.arange(rows) % IMAGES
    frame = pl.DataFrame(
        {
            "caption_id": [f"caption-{i:06d}" for i in range(rows)],
            "caption": [" ".join(row) + "." for row in drawn],
            "concept_id": [f"concept-{i % CONCEPTS}" for i in image],
            "image_id": [f"image-{i:06d}" for i in image],
            "image_path": [f"img/{i:06d}.jpg" for i in image],
        }
    )
    files = {kind: place / f"items.{kind}" for kind in READERS}
    frame.write_csv(files["csv"])
    frame.write_ndjson(files["jsonl"])
    frame.write_parquet(files["parquet"])
    return files


def _against_pyarrow(place: Path, kind: str, file: Path, rows: int, repeats: int) -> list[Ratio]:
    turns = itertools.count()

    def ours() -> Database:
        db, _ = add_dataset(str(place / f"{kind}-{next(turns)}"), manifest(file), notice=print)
        return db

    db = ours()
    plain = pl.CompatLevel.oldest()
    stored = {name: db.read(name).collect().to_arrow(compat_level=plain) for name in TABLES}
    if len(stored["captions"]) != rows:
        raise RuntimeError(f"{len(stored['captions'])} of {rows} captions were added")

    def theirs(tables: Mapping[str, pa.Table]) -> object:
        read = READERS[kind](file)
        for name, table in (tables or {"manifest": read}).items():
            pq.write_table(table, place / f"{name}.parquet")
        return [pq.read_table(place / f"{name}.parquet") for name in tables or ("manifest",)]

    start = time.perf_counter()
    ours()
    taken = time.perf_counter() - start
    print(f"add {rows} rows of {kind}: {taken:.2f} s, {rows / taken:,.0f} rows a second")
    bound = "Lance's keyed merge, which joins on the keys that are there"
    found = [
        Ratio(
            f"add {rows} rows of {kind} / pyarrow, {what}, CPU",
            *interleaved(ours, partial(theirs, tables), repeats, time.process_time),
            goal=goal,
            bound=bound,
        )
        for what, tables, goal in (
            ("the store's columns", stored, GOAL if rows >= 100_000 else None),
            ("the manifest's columns", {}, None),
        )
    ]
    for ratio in found:
        print(ratio)
    return found


if __name__ == "__main__":
    main()
