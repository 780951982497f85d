from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import vdb
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.space import Space

HOSTILE_IDS = [
    "plain",
    "it's",
    "x' OR 1=1 --",
    'say "cheese"',
    "a|b",
    "a\\|b",
    "a\\",
    "100%",
    "naïve café",
    "猫🐈",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    " ",
    "n" * 512,
]


@pytest.fixture
def hostile_ids() -> list[str]:
    return list(HOSTILE_IDS)


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return vdb.open(tmp_path / "study", create=True)


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """Make a recipe of layers of the given widths; any field may be set."""

    def make(*widths: int, **fields: object) -> Recipe:
        widths = widths or (4, 6)
        layers = tuple(
            Layer(f"blocks.{i}", width, i / max(1, len(widths) - 1))
            for i, width in enumerate(widths)
        )
        settled: dict[str, object] = {
            "model": "toy",
            "library": "timm",
            "source": "someone/toy",
            "revision": "0123abc",
            "weights": "pretrained",
            "modality": "image",
            "pooling": "cls",
            "dtype": "float32",
            "stored_dtype": "float16",
            "layers": layers,
            "preprocessing": {"size": [224, 224], "mean": [0.5, 0.5, 0.5]},
            "versions": {"timm": "1.0"},
        }
        return Recipe(**{**settled, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def block() -> Callable[..., NDArray[np.floating]]:
    """Draw vectors for a space: no zeros, nothing that is not finite."""

    def draw(space: Space, n: int, seed: int = 0) -> NDArray[np.floating]:
        width = sum(layer.width for layer in space.layers)
        values = np.random.default_rng(seed).standard_normal((n, width))
        return values.astype(space.recipe.stored_dtype)

    return draw


@pytest.fixture
def fill(
    block: Callable[..., NDArray[np.floating]],
) -> Callable[..., dict[str, NDArray[np.floating]]]:
    """Write vectors of some ids in a variant, some rows a commit; return id -> all its layers side by side."""

    def write(
        space: Space,
        ids: Sequence[str],
        variant: str = "original",
        *,
        rows_a_commit: int | None = None,
        seed: int = 0,
    ) -> dict[str, NDArray[np.floating]]:
        values = block(space, len(ids), seed)
        step = rows_a_commit or len(ids)
        with SpaceWriter(space) as writer:
            for start in range(0, len(ids), step):
                part = ids[start : start + step]
                writer.write([Row(i, None, variant) for i in part], values[start : start + step])
                writer.flush()
        return dict(zip(ids, values, strict=True))

    return write


def _frame(columns: dict[str, Sequence[object]], dataset: str, source: str) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(dataset=pl.lit(dataset), source=pl.lit(source))


@pytest.fixture
def items() -> Callable[..., dict[str, pl.DataFrame]]:
    """Make a consistent batch of items: n images of two concepts, each with one caption, paired, with a mask."""

    def make(n: int = 4, source: str = "items.csv", prefix: str = "") -> dict[str, pl.DataFrame]:
        images = [f"{prefix}img-{i}" for i in range(n)]
        captions = [f"{prefix}cap-{i}" for i in range(n)]
        concepts = [f"{prefix}{('dog', 'cat')[i % 2]}" for i in range(n)]
        known = sorted(set(concepts))
        return {
            "concepts": _frame({"concept_id": known, "name": known}, "toy", source),
            "images": _frame(
                {
                    "image_id": images,
                    "concept_id": concepts,
                    "uri": [f"/photos/{i}.jpg" for i in images],
                    "sha256": [f"hash of {i}" for i in images],
                },
                "toy",
                source,
            ),
            "captions": _frame(
                {
                    "caption_id": captions,
                    "concept_id": concepts,
                    "text": [f"a photo of {c}" for c in concepts],
                    "gloss": [None] * n,
                },
                "toy",
                source,
            ),
            "pairs": _frame({"image_id": images, "caption_id": captions}, "toy", source),
            "segments": _frame(
                {
                    "image_id": images,
                    "segment_id": ["1"] * n,
                    "segmentation": ["instances"] * n,
                    "category": ["animal"] * n,
                    "is_thing": [True] * n,
                    "is_crowd": [False] * n,
                    "height": [8] * n,
                    "width": [8] * n,
                    "counts": ["0h1"] * n,
                },
                "toy",
                source,
            ),
        }

    return make


@pytest.fixture
def contents() -> Callable[[Database], dict[str, list[tuple[object, ...]]]]:
    """Everything the item tables of a store hold, in no particular order."""

    def read(db: Database) -> dict[str, list[tuple[object, ...]]]:
        names = ("concepts", "images", "captions", "pairs", "segments")
        return {name: sorted(db.read(name).collect().rows(), key=repr) for name in names}

    return read


# Two data sets, one of which is to be removed; made once, copied for each test.


@pytest.fixture(scope="session")
def removing() -> Any:
    """The module ``removing`` beside this file."""
    place = Path(__file__).with_name("removing.py")
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def _two(removing: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(removing.two_datasets(tmp_path_factory.mktemp("removing") / "two").uri)


@pytest.fixture
def two(_two: Path, tmp_path: Path) -> Database:
    return vdb.open(shutil.copytree(_two, tmp_path / "two"))


@pytest.fixture
def other_two(_two: Path, tmp_path: Path) -> Database:
    return vdb.open(shutil.copytree(_two, tmp_path / "other-two"))


@pytest.fixture(scope="session")
def only_red(removing: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a store holds that never had another data set than ``red``."""
    db = removing.only("red", tmp_path_factory.mktemp("removing") / "red")
    held: dict[str, Any] = removing.holding(db)
    return held
