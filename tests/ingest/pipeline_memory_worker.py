"""An ingest of an encoder without a library, which prints the peak memory of its process in bytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vdb
from ingest.encoders.base import Prepared
from ingest.pipeline.extract import ingest
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 3072  # 12 kB a row


class Wide:
    """Twelve kilobytes of vectors an item."""

    recipe = Recipe(
        model="wide",
        library="test",
        source="test/wide",
        revision="1",
        weights="pretrained",
        modality="image",
        pooling="mean",
        dtype="float32",
        stored_dtype="float32",
        layers=(Layer("a", WIDTH, 0.0),),
    )

    def prepare(self, item: Any) -> Prepared:
        return Prepared(np.resize(np.asarray(item, np.float32) + 1, WIDTH))

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        return np.stack([one.data for one in batch])


def peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would be at least the parent's
        [line] = [one for one in status.read_text().splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    uri, limit = sys.argv[1:]
    report = ingest(vdb.open(uri), Wide(), space=f"s{limit}", workers=2, limit=int(limit))
    print(report.stored, peak())  # noqa: T201 - the other end of the pipe
