"""What another process does in the concurrency tests: a script that answers on stdout and waits for a line on stdin."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import vdb
from vdb import tables
from vdb.recipe import Recipe
from vdb.writer import Row, SpaceWriter

ROWS = 200
STEP = 20


def vectors(width: int) -> np.ndarray:
    """Draw the vectors that every process writes for the items 0 to ROWS - 1."""
    return np.random.default_rng(11).standard_normal((ROWS, width)).astype(np.float16)


def say(word: object) -> None:
    print(word, flush=True)  # noqa: T201 - the other end of the pipe


def write(uri: str, *, stepwise: bool) -> None:
    """Write what is not there yet, STEP rows a commit; stepwise: a line before each commit is awaited."""
    tables.ROWS_A_COMMIT = STEP
    recipe = Recipe.from_json(Path(uri).with_suffix(".recipe.json").read_text())
    space = vdb.open(uri, create=True).create_space("s", recipe)
    block = vectors(sum(layer.width for layer in space.layers))
    rows = [Row(f"img-{i:03d}", None, "original") for i in range(ROWS)]
    there = space.stored()
    todo = [i for i in range(ROWS) if rows[i].key not in there]
    say("ready")
    sys.stdin.readline()
    with SpaceWriter(space) as writer:
        for start in range(0, len(todo), STEP):
            part = todo[start : start + STEP]
            writer.write([rows[i] for i in part], block[part])
            if stepwise:
                say(writer.committed)
                sys.stdin.readline()
    say(writer.committed)


if __name__ == "__main__":
    write(sys.argv[1], stepwise=sys.argv[2] == "stepwise")
