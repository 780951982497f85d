from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database


@dataclass(frozen=True)
class Answer:
    """What a command wrote and how it ended."""

    code: int
    content: bytes
    err: str

    @property
    def out(self) -> str:
        return self.content.decode()

    @property
    def error(self) -> str:
        """The one line that an error is, whatever was said to be loading before."""
        lines = [line for line in self.err.splitlines() if not line.startswith("loading ")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


@pytest.fixture
def vdb_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Answer]:
    """Run ``vdb`` with arguments, in this process and an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("VDB_DEBUG", "VDB_DB", "VDB_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["vdb", *map(str, arguments)])
        capfdbinary.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capfdbinary.readouterr()
        return Answer(code, out, re.sub(r"\x1b\[[0-9;]*m", "", err.decode()))

    return run


@pytest.fixture(scope="session")
def asked_db(
    tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]
) -> Database:
    """Thirty images with three captions each; in layer 1 a caption is its image, rotated, plus noise."""
    rng = np.random.default_rng(7)
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    said = list(permutations(["the", "dog", "sees", "a", "red", "ball", "and", "cat"], 4))
    chosen = np.random.default_rng(8).choice(len(said), 90, replace=False)  # no two say the same
    eye, tongue, pairs, texts, concepts = {}, {}, [], {}, {}
    for i in range(30):
        image, latent = f"img-{i:02d}", rng.standard_normal(4)
        eye[image] = [rng.standard_normal(3), latent]
        concepts[image] = f"concept-{i // 3}"
        for j in range(3):
            caption = f"cap-{i:02d}-{j}"
            noisy = latent + 0.5 * rng.standard_normal(4)
            tongue[caption] = [rng.standard_normal(3), noisy @ rotation, rng.standard_normal(3)]
            texts[caption] = " ".join(said[chosen[3 * i + j]])
            pairs.append((image, caption))
    made = tmp_path_factory.mktemp("analyze") / "study"
    return make_store(made, eye=eye, tongue=tongue, pairs=pairs, texts=texts, concepts=concepts)


@pytest.fixture
def ask(vdb_command: Callable[..., Answer], asked_db: Database) -> Callable[..., Answer]:
    """Run a command on the store of thirty images."""
    return lambda *arguments: vdb_command(*arguments, "--db", asked_db.uri)
