"""Stores made of known numbers for the tests of analyses, and small studies and models for those of ingest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import vdb
from vdb import items
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.recipe import Modality

    Vectors = Mapping[str, Sequence[NDArray[np.floating]]]


WORDS = ["a", "the", "dog", "cat", "bird", "runs", "sleeps", "on", "under", "red", "blue", "small"]


def _table(dataset: str, /, **columns: Sequence[object]) -> pl.DataFrame:
    rows = pl.DataFrame(columns)
    return rows.with_columns(dataset=pl.lit(dataset), source=pl.lit("made for a test"))


def _write(
    db: Database,
    name: str,
    modality: Modality,
    vectors: Vectors,
    concepts: Mapping[str, str],
    seed: int,
) -> None:
    """Store vectors in an order that is not that of their ids, a few rows a commit."""
    first = next(iter(vectors.values()))
    depths = np.linspace(0, 1, len(first))
    recipe = Recipe(
        model=name,
        library="timm" if modality == "image" else "transformers",
        source=f"toy/{name}",
        revision="0123abc",
        weights="pretrained",
        modality=modality,
        pooling="mean",
        dtype="float32",
        stored_dtype="float32",
        layers=tuple(
            Layer(f"blocks.{i}", len(layer), float(depth))
            for i, (layer, depth) in enumerate(zip(first, depths, strict=True))
        ),
    )
    ids = np.random.default_rng(seed).permutation(sorted(vectors)).tolist()
    with SpaceWriter(db.create_space(name, recipe)) as writer:
        for start in range(0, len(ids), 97):
            part = ids[start : start + 97]
            block = np.stack([np.concatenate(vectors[one]) for one in part]).astype(np.float32)
            writer.write([Row(one, concepts.get(one), "original") for one in part], block)
            writer.flush()


@pytest.fixture(scope="session")
def make_store() -> Callable[..., Database]:
    """Make a store of items, pairs and two spaces, ``eye`` and ``tongue``.

    Every image and caption in ``pairs``, ``eye`` or ``tongue`` becomes an item; those without vectors have none.
    """

    def make(
        path: Path,
        *,
        eye: Vectors,
        tongue: Vectors,
        pairs: Sequence[tuple[str, str]] = (),
        texts: Mapping[str, str] | None = None,
        concepts: Mapping[str, str] | None = None,
        datasets: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> Database:
        texts, concepts, datasets = texts or {}, concepts or {}, datasets or {}
        digests = digests or {}
        db = vdb.open(path, create=True)
        images = sorted({image for image, _ in pairs} | set(eye))
        captions = sorted({caption for _, caption in pairs} | set(tongue))
        batch: dict[str, list[pl.DataFrame]] = {}

        def put(table: str, dataset: str, /, **columns: Sequence[object]) -> None:
            batch.setdefault(table, []).append(_table(dataset, **columns))

        for one in sorted(set(concepts.values())):
            put("concepts", "toy", concept_id=[one], name=[one])
        for dataset in sorted({"toy", *datasets.values()}):
            mine = [one for one in images if datasets.get(one, "toy") == dataset]
            put(
                "images",
                dataset,
                image_id=mine,
                concept_id=[concepts.get(one) for one in mine],
                uri=[f"/photos/{one}.jpg" for one in mine],
                sha256=[digests.get(one, f"hash of {one}") for one in mine],
            )
            mine = [one for one in captions if datasets.get(one, "toy") == dataset]
            put(
                "captions",
                dataset,
                caption_id=mine,
                concept_id=[concepts.get(one) for one in mine],
                text=[texts.get(one, f"a text called {one}") for one in mine],
                gloss=[None] * len(mine),
            )
            both = [pair for pair in pairs if datasets.get(pair[0], "toy") == dataset]
            put(
                "pairs",
                dataset,
                image_id=[image for image, _ in both],
                caption_id=[caption for _, caption in both],
            )
        items.add(
            db,
            {
                name: pl.concat([frame for frame in frames if len(frame)], how="vertical_relaxed")
                for name, frames in batch.items()
                if any(map(len, frames))
            },
        )
        _write(db, "eye", "image", eye, concepts, seed=1)
        _write(db, "tongue", "text", tongue, concepts, seed=2)
        return db

    return make


# A small study: photos and captions of which no two are alike, and two tiny models with weights of their own.


@pytest.fixture(scope="session")
def tiny_vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a ViT of three blocks of 32, for images of 32 x 32."""
    import timm  # noqa: PLC0415 - seconds of imports
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    directory = tmp_path_factory.mktemp("models") / "tiny-vit"
    directory.mkdir()
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 10,
        "model_args": {
            "embed_dim": 32,
            "depth": 3,
            "num_heads": 2,
            "patch_size": 8,
            "img_size": 32,
        },
        "pretrained_cfg": {
            "input_size": [3, 32, 32],
            "crop_pct": 1.0,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "num_classes": 10,
        },
    }
    (directory / "config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = timm.create_model(f"local-dir:{directory}", pretrained=False)
    save_file(model.state_dict(), directory / "model.safetensors")
    return directory


@pytest.fixture(scope="session")
def tiny_language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a GPT-2 of two blocks of 16, a context of 24 tokens and words for a vocabulary."""
    import torch  # noqa: PLC0415 - seconds of imports
    import transformers as tr  # noqa: PLC0415
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    directory = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    words = ["<unk>", "<pad>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": words[0], "pad_token": words[1]}
    tr.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=24, **special
    ).save_pretrained(directory)
    config = tr.GPT2Config(
        vocab_size=len(words), n_positions=24, n_embd=16, n_layer=2, n_head=2, n_inner=32
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        tr.AutoModel.from_config(config).eval().save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Database]:
    """Add n photos and n captions of 1 to 20 words, in the order of ``seed``; image ``i`` is the file ``img-i.png``."""

    def make(path: Path, n: int, *, seed: int = 0, side: int = 40) -> Database:
        from PIL import Image  # noqa: PLC0415

        photos = path.parent / f"{path.name}-photos"
        photos.mkdir(exist_ok=True)
        rows = []
        for i in range(n):
            rng = np.random.default_rng(i)
            pixels = rng.integers(0, 256, (side, side + i % 9, 3), dtype=np.uint8)
            file = photos / f"img-{i:05d}.png"
            Image.fromarray(pixels).save(file, compress_level=1)
            text = " ".join(rng.choice(WORDS, rng.integers(1, 21)))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append((f"img-{i:05d}", f"cap-{i:05d}", str(file), digest, text))
        order = np.random.default_rng(seed).permutation(n)
        images, captions, files, digests, texts = zip(*(rows[i] for i in order), strict=True)
        concepts = [f"concept-{i % 3}" if i % 4 else None for i in order]
        db = vdb.open(path, create=True)
        known = sorted({one for one in concepts if one})
        put = {
            "concepts": _table("study", concept_id=known, name=known),
            "images": _table(
                "study", image_id=images, concept_id=concepts, uri=files, sha256=digests
            ),
            "captions": _table(
                "study", caption_id=captions, concept_id=concepts, text=texts, gloss=[None] * n
            ),
            "pairs": _table("study", image_id=images, caption_id=captions),
        }
        items.add(db, put)
        return db

    return make
