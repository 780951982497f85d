"""A store whose variants are known: equal, noise, a turned space, and some in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from analyses.perturbation import perturbation
from vdb.variants import define
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl
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
