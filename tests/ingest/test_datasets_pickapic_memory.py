"""A hundred thousand rows of Pick-a-Pic's schema go in within a stated memory, most of which ten thousand take too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(__file__).with_name("pickapic_memory_worker.py")
CEILING = 1_000_000_000
GROWTH = 150_000_000  # of the peak, for 90,000 rows more, whose images would be 240 MB


def work(*arguments: object) -> list[int]:
    command = [sys.executable, "-W", "ignore", WORKER, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_file(
    choice: Callable[..., dict[str, Any]], write_choices: Callable[..., Path], tmp_path: Path
) -> None:
    few = write_choices(tmp_path / "few.parquet", [choice(i) for i in range(200)])
    peaks, sizes = [], []
    for n in (10_000, 100_000):
        file = tmp_path / f"{n}.parquet"
        work("make", few, n, file)
        trials, images, peak = work("add", file, tmp_path / f"store-{n}")
        assert (trials, images) == (n, 2 * n)
        peaks.append(peak)
        sizes.append(file.stat().st_size)
        file.unlink()
    assert vdb.open(tmp_path / "store-100000").images().collect().height == 200_000
    assert peaks[1] < CEILING, peaks
    assert sizes[1] - sizes[0] > 1.5 * GROWTH, sizes  # what keeping the images would take
    assert peaks[1] - peaks[0] < GROWTH, (peaks, sizes)
