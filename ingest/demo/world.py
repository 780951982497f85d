"""The demo world as items for a store: images on disk, captions with an English reading, exact masks."""

from __future__ import annotations

import hashlib
from io import BytesIO
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl
from PIL import Image
from pycocotools import mask as coco_mask

from ingest.datasets.base import Batch, columns_of
from ingest.demo.choices import choices
from ingest.demo.dice import Dice
from ingest.demo.language import caption
from ingest.demo.render import BACKGROUND, render
from ingest.demo.scenes import Concept, Scene, concepts, sample_exemplar, sample_scene
from vdb.schema import IMAGE_TO_TEXT, TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from ingest.demo.choices import Choice

SCENES: Final = "scenes"
EXEMPLARS: Final = "exemplars"
"""The data sets of a world: scenes of no concept, and exemplars of concepts."""

CHOICES: Final = "choices"
"""And scenes that trials are about, which belong to no pair: see :mod:`ingest.demo.choices`."""

_CAPTIONS: Final = 102  # a stream of its own beside those of the scenes
_SIDES: Final = 104  # and which candidate of a trial comes first
_CAPTIONS_OF_A_SCENE: Final = 2
_CAPTIONS_OF_AN_EXEMPLAR: Final = 1


class _Item(NamedTuple):
    """An image to be: ``key`` is what its captions are drawn by."""

    image_id: str
    concept_id: str | None
    scene: Scene
    captions: int
    key: tuple[int, ...]
    source: str


def make_world(
    directory: Path,
    *,
    scenes: int = 800,
    exemplar_concepts: int = 150,
    exemplars: int = 8,
    trials: int = 0,
    seed: int = 0,
) -> Batch:
    """Draw a world, write its images, and return its items.

    Every item is a pure function of the seed and its own number: a larger world contains the smaller one.

    Parameters
    ----------
    directory : Path
        Gets a PNG for each image, of the same bytes each time; made if it is not there.
    scenes : int
        Scenes of one to four things, of no concept, with two captions each.
    exemplar_concepts : int
        Concepts: two categories, how the one stands to the other, and a background.
    exemplars : int
        Scenes of each concept, with one caption each.
    trials : int
        Forced choices of each direction, over images and captions of their own.
    seed : int

    Returns
    -------
    Batch
        ``uri`` is an absolute path. Segments: one a thing, named by its category, and the background, as stuff;
        together they cover each pixel once.
    """
    directory.mkdir(parents=True, exist_ok=True)
    kinds = list(islice(concepts(seed), exemplar_concepts))
    tables: dict[str, list[dict[str, Any]]] = {
        "concepts": [_concept_row(concept, seed) for concept in kinds],
        "images": [],
        "captions": [],
        "pairs": [],
        "segments": [],
        "trials": [],
    }
    made = chain(
        (_rows(item, directory, seed) for item in _plain(scenes, seed)),
        (_rows(item, directory, seed) for item in _exemplars(kinds, exemplars, seed)),
        (_choice_rows(choice, directory, seed) for choice in choices(trials, seed)),
    )
    for one in made:
        for table, rows in one.items():
            tables[table] += rows
    return Batch(
        concepts=_frame("concepts", tables),
        images=_frame("images", tables),
        captions=_frame("captions", tables),
        pairs=_frame("pairs", tables),
        segments=_frame("segments", tables),
        trials=_frame("trials", tables),
    )


def _plain(count: int, seed: int) -> Iterator[_Item]:
    for i in range(count):
        yield _Item(
            image_id=f"scene-{i:05d}",
            concept_id=None,
            scene=sample_scene(seed, i),
            captions=_CAPTIONS_OF_A_SCENE,
            key=(0, i),
            source=f"demo world, seed {seed}, scene {i}",
        )


def _exemplars(kinds: list[Concept], count: int, seed: int) -> Iterator[_Item]:
    for concept in kinds:
        for i in range(count):
            yield _Item(
                image_id=f"{_concept_id(concept)}-{i:02d}",
                concept_id=_concept_id(concept),
                scene=sample_exemplar(concept, seed, i),
                captions=_CAPTIONS_OF_AN_EXEMPLAR,
                key=(1, concept.number, i),
                source=f"demo world, seed {seed}, concept {concept.number}, exemplar {i}",
            )


def _concept_id(concept: Concept) -> str:
    return f"concept-{concept.number:04d}"


def _concept_row(concept: Concept, seed: int) -> dict[str, Any]:
    return {
        "concept_id": _concept_id(concept),
        "name": concept.name,
        "dataset": EXEMPLARS,
        "source": f"demo world, seed {seed}, concept {concept.number}",
    }


def _rows(item: _Item, directory: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Draw one item, write its image, and make its rows in each table."""
    dataset = SCENES if item.concept_id is None else EXEMPLARS
    of_all = {"dataset": dataset, "source": item.source}
    of_image = {"image_id": item.image_id} | of_all
    image, labels = _drawn(item.scene, directory / f"{item.image_id}.png")
    said = [caption(item.scene, Dice(seed, _CAPTIONS, *item.key, k)) for k in range(item.captions)]
    caption_ids = [f"{item.image_id}-{letter}" for letter in "abcdefgh"[: item.captions]]
    return {
        "images": [of_image | {"concept_id": item.concept_id} | image],
        "captions": [
            {"caption_id": caption_id, "concept_id": item.concept_id, **phrase._asdict()} | of_all
            for caption_id, phrase in zip(caption_ids, said, strict=True)
        ],
        "pairs": [of_image | {"caption_id": caption_id} for caption_id in caption_ids],
        "segments": [of_image | segment for segment in _segments(item.scene, labels)],
    }


def _choice_rows(choice: Choice, directory: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Draw the two scenes of a choice and make their rows: one trial a direction, the sides of both by chance."""
    name = f"choice-{choice.number:05d}-{choice.differs}"
    of_all = {"dataset": CHOICES, "source": f"demo world, seed {seed}, {name}"}
    ids = [f"{name}-{letter}" for letter in "ab"]
    said = (choice.said, choice.said_of_other)
    scenes = (choice.scene, choice.other)
    dice = Dice(seed, _SIDES, choice.number)
    return {
        "images": [
            {"image_id": one, "concept_id": None}
            | _drawn(scene, directory / f"{one}.png")[0]
            | of_all
            for one, scene in zip(ids, scenes, strict=True)
        ],
        "captions": [
            {"caption_id": one, "concept_id": None, **phrase._asdict()} | of_all
            for one, phrase in zip(ids, said, strict=True)
        ],
        "trials": [
            _trial(f"{name}-{direction}", direction, query, right, wrong, dice) | of_all
            for direction, query, right, wrong in (
                (TEXT_TO_IMAGE, ids[0], ids[0], ids[1]),
                (IMAGE_TO_TEXT, ids[1], ids[1], ids[0]),
            )
        ],
    }


def _trial(
    trial_id: str, direction: str, query: str, right: str, wrong: str, dice: Dice
) -> dict[str, Any]:
    first = dice.chance(0.5)
    return {
        "trial_id": trial_id,
        "direction": direction,
        "query_id": query,
        "candidate_0": right if first else wrong,
        "candidate_1": wrong if first else right,
        "label": 1.0 if first else 0.0,
        "weight": 1.0,
        "gap": None,
        "scores_0": None,
        "scores_1": None,
        "judge": None,
    }


def _drawn(scene: Scene, path: Path) -> tuple[dict[str, str], NDArray[np.int8]]:
    """Draw a scene into a file; return its place and hash, and which thing each pixel is of."""
    image, labels = render(scene)
    png = _png(image)
    path.write_bytes(png)
    return {"uri": str(path.resolve()), "sha256": hashlib.sha256(png).hexdigest()}, labels


def _segments(scene: Scene, labels: NDArray[np.int8]) -> Iterator[dict[str, Any]]:
    things = [(str(i), i, thing.category) for i, thing in enumerate(scene.things)]
    for segment_id, label, category in (*things, ("background", BACKGROUND, scene.background)):
        encoded = coco_mask.encode(np.asfortranarray(labels == label, dtype=np.uint8))
        yield {
            "segment_id": segment_id,
            "segmentation": "panoptic",
            "category": category,
            "is_thing": label != BACKGROUND,
            "is_crowd": False,
            "height": labels.shape[0],
            "width": labels.shape[1],
            "counts": encoded["counts"].decode("ascii"),
        }


def _png(image: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _frame(table: str, tables: dict[str, list[dict[str, Any]]]) -> pl.DataFrame:
    return pl.DataFrame(tables[table], schema=columns_of(table))
