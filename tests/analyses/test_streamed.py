"""Layers streamed from the store: the maps that layers read whole give, whatever memory allows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import vdb
from analyses import streamed
from analyses.matching import Matched, match, mean_rows
from analyses.metrics import choose_metric
from analyses.metrics.folds import folds_of
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS
from analyses.metrics.ridge.primal import primal_maps
from analyses.streamed import streamed_maps, too_large
from analyses.tiles import Tile, block_rows, tile_bytes, tiles
from vdb.errors import InputError, NotFoundError
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database
    from vdb.recipe import Modality

IMAGES = 150
EYE, TONGUE = (12, 20, 8), (10, 16)
METRIC = choose_metric("linear-predictivity")
WORKER = Path(__file__).with_name("streamed_memory_worker.py")


@pytest.fixture(scope="module")
def db(make_store: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One to three captions an image, which share a latent with it; a unit of each side is constant or loud."""
    rng = np.random.default_rng(5)
    latent = {f"img-{i:03d}": rng.standard_normal(6) for i in range(IMAGES)}
    pairs = [(one, f"cap-{one}-{j}") for i, one in enumerate(latent) for j in range(1 + i % 3)]

    def layers(widths: tuple[int, ...], seeds: np.ndarray) -> list[np.ndarray]:
        made = []
        for depth, width in enumerate(widths):
            mixing = np.random.default_rng(depth + 10 * len(widths)).standard_normal((6, width))
            X = seeds @ mixing + rng.standard_normal(width)
            X[0], X[1] = 0.1, 1000 * X[1] + 5000
            made.append(X.astype(np.float32))
        return made

    return make_store(
        tmp_path_factory.mktemp("streamed") / "study",
        eye={one: layers(EYE, z) for one, z in latent.items()},
        tongue={caption: layers(TONGUE, latent[image]) for image, caption in pairs},
        pairs=pairs,
    )


def matched(db: Database, captions: str) -> Matched:
    return match(db, db.space("eye"), db.space("tongue"), captions)  # type: ignore[arg-type]


@pytest.mark.parametrize("captions", ["one", "mean", "all"])
@pytest.mark.parametrize("memory", [100_000, 2**31], ids=["tiles", "one pass"])
def test_equals_what_is_read_whole(
    db: Database, captions: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = matched(db, captions)
    eye, tongue = db.space("eye"), db.space("tongue")
    vision = [torch.from_numpy(X) for X in mean_rows(eye, [[one] for one in rows.image_ids])]
    language = [torch.from_numpy(X) for X in mean_rows(tongue, rows.caption_ids)]
    folds = folds_of(rows.groups, len(rows), 4, 7)
    forth, back = primal_maps(vision, language, folds, alphas=DEFAULT_ALPHAS)

    monkeypatch.setattr(streamed, "block_rows", lambda *_: 37)  # several blocks
    passes = tiles(EYE, TONGUE, 4, memory)
    assert (len(passes) > 1) == (memory < 2**20)
    steps: list[tuple[int, int]] = []
    maps = streamed_maps(
        eye,
        tongue,
        rows,
        METRIC,
        folds=4,
        seed=7,
        memory=memory,
        progress=lambda *at: steps.append(at),
    )
    assert list(maps) == ["vision->language", "language->vision"]
    for direction, whole, transpose in (
        ("vision->language", forth, (0, 1, 2)),
        ("language->vision", back, (1, 0, 2)),
    ):
        ours = maps[direction]
        expected = whole.fold_scores.transpose(transpose)
        assert ours.fold_scores is not None
        assert ours.fold_scores.shape == (len(EYE), len(TONGUE), 4)
        # Averages are summed in single precision, in another order.
        np.testing.assert_allclose(ours.fold_scores, expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(ours.scores, whole.scores.transpose(transpose[:2]), atol=1e-6)
        assert np.array_equal(ours.alphas, whole.alphas.transpose(transpose))
        assert np.array_equal(ours.on_edge, whole.on_edge.transpose(transpose))
        told = dict(ours.facts)
        assert told.pop("alpha chosen by") == "generalised cross-validation"
        assert list(told.values()) == [whole.dropped_source.sum(), whole.dropped_target.sum()]
    assert steps == sorted(steps)
    assert steps[-1] == (1000 * len(passes),) * 2


def test_one_direction_alone(db: Database) -> None:
    rows, sides = matched(db, "one"), (db.space("eye"), db.space("tongue"))
    both = streamed_maps(*sides, rows, METRIC)
    for direction in ("vision->language", "language->vision"):
        one = streamed_maps(*sides, rows, METRIC, directions=[direction])
        assert list(one) == [direction]
        np.testing.assert_allclose(one[direction].scores, both[direction].scores, atol=1e-12)


def test_what_is_large_is_said_by_its_bytes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, sides = matched(db, "one"), (db.space("eye"), db.space("tongue"))
    assert not too_large(rows, *sides)
    size = 4 * IMAGES * (sum(EYE) + sum(TONGUE))
    monkeypatch.setattr(streamed, "IN_MEMORY", size)
    assert not too_large(rows, *sides)
    monkeypatch.setattr(streamed, "IN_MEMORY", size - 1)
    assert too_large(rows, *sides)


def test_refusals(db: Database) -> None:
    rows, sides = matched(db, "one"), (db.space("eye"), db.space("tongue"))
    with pytest.raises(InputError, match="mutual-knn needs all items at once"):
        streamed_maps(*sides, rows, choose_metric("mutual-knn"))
    with pytest.raises(InputError, match=r"two layers of 20 and 16 units .* were allowed"):
        streamed_maps(*sides, rows, METRIC, memory=1000)
    with pytest.raises(InputError, match="direction"):
        streamed_maps(*sides, rows, METRIC, directions=["symmetric"])
    with pytest.raises(InputError, match="200 folds"):
        streamed_maps(*sides, rows, METRIC, folds=200)
    lost = Matched(["nobody", *rows.image_ids[1:]], rows.caption_ids, rows.groups, 0)
    with pytest.raises(NotFoundError, match="'nobody'"):
        streamed_maps(*sides, lost, METRIC)


@pytest.mark.parametrize("memory", [3 * 10**8, 10**9, 10**10])
def test_tiles_cover_every_pair_once_and_fit(memory: int) -> None:
    vision, language = [384] * 5 + [768] * 4, [512] * 3 + [1024] * 6
    cut = tiles(vision, language, 5, memory)
    pairs = [(i, j) for one in cut for i in one.vision for j in one.language]
    assert sorted(pairs) == [(i, j) for i in range(9) for j in range(9)]
    for one in cut:
        assert one.width == sum(vision[i] for i in one.vision) + sum(
            language[j] for j in one.language
        )
        assert tile_bytes(one, vision, language, 5) <= 0.75 * memory
    assert len(tiles(vision, language, 5, 2 * memory)) <= len(cut)


def test_the_bytes_of_a_tile_are_those_of_its_moments() -> None:
    """5 folds of 8-byte numbers: 30 x 40, 30 x 30 and 40 x 40, and beside them ten 40 x 40."""
    moments = 5 * (30 * 40 + 30 * 30 + 40 * 40)
    assert tile_bytes(Tile((0,), (0,), 70), [30], [40], 5) == 8 * (moments + 10 * 40 * 40)


def test_blocks_shrink_with_what_a_row_takes() -> None:
    assert block_rows(100, 1, 2**31) == 8192
    assert block_rows(90_000, 1, 2**31) == 2**29 // (90_000 * 24)
    assert block_rows(90_000, 5, 2**31) < block_rows(90_000, 1, 2**31)
    assert block_rows(10**7, 1, 2**20) == 64


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_items(tmp_path: Path) -> None:
    few, many = 15_000, 60_000
    write_large(tmp_path / "study", many)
    peaks = []
    for n in (few, many):
        command = [sys.executable, "-W", "ignore", WORKER, tmp_path / "study", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        score, peak = done.stdout.split()
        assert float(score) > 0.5
        peaks.append(int(peak))
    # As stored the layers of 45,000 more items take 138 MB, in single precision 276 MB; their ids some 20 MB.
    assert peaks[1] - peaks[0] < 60e6, peaks


def write_large(path: Path, n: int) -> None:
    """Write two spaces of n items each, 1,536 numbers an item, that share a latent."""
    db = vdb.open(path, create=True)
    mixing = np.random.default_rng(0).standard_normal((8, 1024), dtype=np.float32)
    for name, modality, widths in (("eye", "image", (512, 512)), ("tongue", "text", (512,))):
        space = db.create_space(name, recipe(name, modality, widths))
        latent, noise = np.random.default_rng(1), np.random.default_rng(len(widths))
        with SpaceWriter(space) as writer:
            for start in range(0, n, 1000):
                rows = [Row(f"{i:06d}", None, "original") for i in range(start, start + 1000)]
                values = latent.standard_normal((1000, 8), np.float32) @ mixing[:, : sum(widths)]
                values += noise.standard_normal(values.shape, np.float32)
                writer.write(rows, values.astype(np.float16))


def recipe(name: str, modality: Modality, widths: tuple[int, ...]) -> Recipe:
    return Recipe(
        model=name,
        library="test",
        source=f"test/{name}",
        revision="1",
        weights="pretrained",
        modality=modality,
        pooling="mean",
        dtype="float32",
        stored_dtype="float16",
        layers=tuple(Layer(f"blocks.{i}", width, float(i)) for i, width in enumerate(widths)),
    )
