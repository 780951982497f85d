"""A streamed map of n items of a store, which prints a score and the peak memory of its process in bytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

import vdb
from analyses.matching import Matched
from analyses.metrics import choose_metric
from analyses.streamed import streamed_maps


def peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would be at least the parent's
        [line] = [one for one in status.read_text().splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    uri, limit = sys.argv[1:]
    torch.set_num_threads(1)
    db = vdb.open(uri)
    ids = [f"{i:06d}" for i in range(int(limit))]
    rows = Matched(ids, [[one] for one in ids], ids, 0)
    maps = streamed_maps(
        db.space("eye"),
        db.space("tongue"),
        rows,
        choose_metric("linear-predictivity"),
        memory=2**27,
    )
    print(maps["vision->language"].scores[0, 0], peak())  # noqa: T201 - the other end of the pipe
