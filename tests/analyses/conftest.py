"""A store whose variants are known (equal, noise, a turned space, some in between), and the one of real photos."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import vdb
from analyses.perturbation import perturbation
from vdb import items
from vdb.variants import define
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from vdb.database import Database

    Layers = list[NDArray[np.floating]]

N, WIDTH = 240, 6
KINDS = {"same": "appearance", "little": "appearance", "turned": "semantic", "noise": "semantic"}


def _write(db: Database, space: str, variant: str, vectors: Mapping[str, Layers]) -> None:
    with SpaceWriter(db.space(space)) as writer:
        block = np.stack([np.concatenate(one) for one in vectors.values()]).astype(np.float32)
        writer.write([Row(one, None, variant) for one in vectors], block)


def _build(make_store: Callable[..., Database], place: Path) -> Database:
    """Layer 0 is noise; layer 1 of a caption is that of its image, rotated, plus noise; images have variants."""
    rng = np.random.default_rng(5)
    rotation, turn = (np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] for _ in range(2))
    latent = {f"img-{i:03d}": rng.standard_normal(WIDTH) for i in range(N)}
    eye: dict[str, Layers] = {one: [rng.standard_normal(3), x] for one, x in latent.items()}
    tongue, pairs = {}, []
    for one, x in latent.items():
        caption = one.replace("img", "cap")
        noisy = x + 0.7 * rng.standard_normal(WIDTH)
        tongue[caption] = [rng.standard_normal(3), noisy @ rotation]
        pairs.append((one, caption))
    db = make_store(place, eye=eye, tongue=tongue, pairs=pairs)

    def changed(how: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> dict[str, Layers]:
        return {one: [first, how(second)] for one, (first, second) in eye.items()}

    _write(db, "eye", "same", eye)
    _write(db, "eye", "little", changed(lambda x: x + 0.5 * rng.standard_normal(WIDTH)))
    _write(db, "eye", "turned", changed(lambda x: x @ turn))
    _write(db, "eye", "noise", changed(lambda _: rng.standard_normal(WIDTH)))
    some = dict(list(changed(lambda x: x).items())[:160])
    _write(db, "eye", "some", some)
    _write(db, "tongue", "said-so", tongue)
    _write(
        db,
        "tongue",
        "babble",
        {one: [x[0], rng.standard_normal(WIDTH)] for one, x in tongue.items()},
    )
    for name, kind in KINDS.items():
        define(db, name, "image", kind, {"made": "for a test"}, f"print of {name}", "a test")
    return db


@pytest.fixture(scope="session")
def make_perturbed(make_store: Callable[..., Database]) -> Callable[[Path], Database]:
    """Make a store of 240 pairs, ``eye`` and ``tongue``, whose spaces hold variants."""
    return lambda place: _build(make_store, place)


@pytest.fixture(scope="session")
def perturbed(
    tmp_path_factory: pytest.TempPathFactory, make_perturbed: Callable[[Path], Database]
) -> Database:
    """Such a store, to be read only."""
    return make_perturbed(tmp_path_factory.mktemp("perturbed") / "s")


@pytest.fixture(scope="session")
def perturbed_frame(perturbed: Database) -> pl.DataFrame:
    """The perturbation of its second layers, by all variants."""
    return perturbation(perturbed, "eye", "tongue", vision_layer=1, language_layer=1, kept=False)


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of the store that ``real_store.py`` says, made once a session whatever the number of its processes."""
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    source = Path(__file__).with_name("real_store.py")
    spec = importlib.util.spec_from_file_location("real_store", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    shared = tmp_path_factory.getbasetemp()
    place = (shared.parent if worker else shared) / "real-store"
    backwards = worker is not None and int(worker.removeprefix("gw")) % 2 == 1
    module.make(place, Path(os.environ["VDB_REAL_DATA"]), backwards=backwards)
    return place


@pytest.fixture(scope="session")
def real_db(real_store: Path) -> Database:
    """That store, to be read only: nothing that is asked of it is kept."""
    return vdb.open(real_store)


@pytest.fixture(scope="module")
def real_copy(real_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it for commands, which keep what they answer."""
    return Path(shutil.copytree(real_store, tmp_path_factory.mktemp("real") / "s"))


@pytest.fixture(scope="module")
def real_answer(real_copy: Path) -> Callable[..., pl.DataFrame]:
    """Type ``vdb analyze`` with arguments in a process of its own, and read the rows of its JSON."""

    def ask(*arguments: object) -> pl.DataFrame:
        program = "from cli.main import main; main()"
        command = [sys.executable, "-c", program, "analyze", *map(str, arguments)]
        done = subprocess.run(
            [*command, "--db", str(real_copy), "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return pl.DataFrame(json.loads(done.stdout), infer_schema_length=None)

    return ask


@pytest.fixture(scope="session")
def add_trials() -> Callable[..., None]:
    """Add trials to a store: rows that say what is asked, and of which direction they are."""

    def add(
        db: Database, rows: Sequence[Mapping[str, Any]], direction: str = "text-to-image"
    ) -> None:
        usual = {
            "direction": direction,
            "weight": 1.0,
            "gap": None,
            "scores_0": None,
            "scores_1": None,
            "judge": None,
            "dataset": "asked",
            "source": "made for a test",
        }
        frame = pl.DataFrame(
            [{"trial_id": f"{direction}-{i:03d}", **usual, **row} for i, row in enumerate(rows)],
            schema_overrides={
                "gap": pl.Float64,
                "scores_0": pl.List(pl.Float64),
                "scores_1": pl.List(pl.Float64),
                "judge": pl.String,
            },
        )
        items.add(db, {"trials": frame})

    return add
