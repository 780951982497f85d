"""The demo's two models: what is shipped loads, and the scripts that made it still train."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open
from transformers import AutoModel, AutoTokenizer

import ingest.demo
from ingest.demo import vision, vision_training
from ingest.demo.corpus import documents, labelled_images
from ingest.demo.language_model import make_model, make_tokenizer, next_token_loss
from ingest.demo.language_model import train as train_language
from ingest.demo.lexicon import NAMES
from ingest.demo.scenes import CATEGORIES
from ingest.demo.shipped import weights_directory

LARGEST_WEIGHTS = 10_000_000  # bytes, both models together


def test_the_shipped_weights_are_small_float16_and_safe() -> None:
    directories = [weights_directory("vision"), weights_directory("language")]
    files = [path for directory in directories for path in directory.iterdir()]
    assert sum(path.stat().st_size for path in files) < LARGEST_WEIGHTS
    assert {path.suffix for path in files} <= {".json", ".jsonl", ".safetensors"}
    for directory in directories:
        with safe_open(directory / "model.safetensors", framework="pt") as tensors:
            dtypes = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        assert dtypes == {"F16"}


def test_the_shipped_vision_model_loads_by_its_directory_and_knows_things() -> None:
    model = timm.create_model(f"local-dir:{weights_directory('vision')}", pretrained=True).eval()
    assert model.pretrained_cfg["architecture"] == vision.ARCHITECTURE
    assert tuple(model.pretrained_cfg["input_size"]) == (3, 64, 64)
    data = labelled_images(990, 0, 400)
    vectors = _class_tokens(model, data.images)
    untrained = _class_tokens(timm.create_model(vision.ARCHITECTURE).eval(), data.images)
    assert vectors.shape == (400, 128)
    # A linear reading of which categories are there, fitted on half of the scenes: its rank by
    # area under the curve is far better from what was learnt than from chance weights.
    assert _auc(vectors, data.present) > 0.9
    assert _auc(vectors, data.present) > _auc(untrained, data.present) + 0.1


def _class_tokens(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        return model.forward_features(pixels)[:, 0].numpy().astype(float)


def _auc(vectors: np.ndarray, present: np.ndarray) -> float:
    half = len(vectors) // 2
    X = (vectors - vectors[:half].mean(0)) / (vectors[:half].std(0) + 1e-9)
    weights = np.linalg.solve(
        X[:half].T @ X[:half] + 30 * np.eye(X.shape[1]),
        X[:half].T @ (present[:half] - present[:half].mean(0)),
    )
    scores, truth = X[half:] @ weights, present[half:] > 0
    areas = [
        (scores[truth[:, c], c][:, None] > scores[~truth[:, c], c][None]).mean()
        for c in range(len(CATEGORIES))
    ]
    return float(np.mean(areas))


def test_the_shipped_language_model_loads_and_predicts_the_language() -> None:
    directory = weights_directory("language")
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model = AutoModel.from_pretrained(directory, local_files_only=True, dtype=torch.float32)
    made = make_tokenizer()
    texts = documents(991, 0, 20)
    assert tokenizer(texts)["input_ids"] == made(texts)["input_ids"]
    assert tokenizer.padding_side == "right"
    assert model.config.vocab_size == len(made)
    ids = made(texts, padding=True, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        trained, blank = (make_model(made).eval() for _ in range(2))
        trained.transformer.load_state_dict(model.state_dict())
        trained.tie_weights()
        losses = {
            name: float(next_token_loss(m, ids))
            for name, m in (("trained", trained), ("blank", blank))
        }
    recorded = _record(directory)[-1]["loss"]
    # 20 documents nobody trained on score what the held-out ones did; weights by chance, log(vocabulary).
    assert losses["trained"] == pytest.approx(recorded, abs=0.15)
    assert losses["blank"] == pytest.approx(np.log(len(made)), abs=0.3)


def _record(directory: Path) -> list[dict[str, float]]:
    lines = (directory / "training.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_shipped_tokenizer_knows_every_name() -> None:
    tokenizer = AutoTokenizer.from_pretrained(weights_directory("language"), local_files_only=True)
    ids = tokenizer(list(NAMES), add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in {token for row in ids for token in row}


def test_an_untrained_twin_is_drawn_from_its_seed() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(timm.create_model(f"local-dir:{weights_directory('vision')}").state_dict())
    name = "blocks.0.attn.qkv.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_training_vision_repeats_and_writes_what_timm_loads(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        score = vision_training.train(
            tmp_path / name, steps=2, items=16, batch=4, seed=3, layers=1, width=32
        )
        assert 0 <= score <= 1
    a, b = (tmp_path / name / "model.safetensors" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()
    model = timm.create_model(f"local-dir:{tmp_path / 'a'}", pretrained=True)
    assert len(model.blocks) == 1
    assert model.embed_dim == 32
    assert _record(tmp_path / "a")[0] == {"steps": 2, "batch": 4, "items": 16, "seed": 3}


def test_training_language_repeats_and_writes_what_transformers_loads(tmp_path: Path) -> None:
    for name in ("a", "b"):
        loss = train_language(
            tmp_path / name, steps=2, items=16, batch=4, seed=3, layers=1, width=32
        )
        assert 0 < loss < 2 * np.log(len(make_tokenizer()))
    a, b = (tmp_path / name / "model.safetensors" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()
    model = AutoModel.from_pretrained(tmp_path / "a", local_files_only=True)
    assert (model.config.n_layer, model.config.n_embd) == (1, 32)


def test_a_few_steps_lower_the_loss_of_the_language_model(tmp_path: Path) -> None:
    few = train_language(tmp_path / "few", steps=1, items=64, batch=16, seed=1, layers=1, width=64)
    more = train_language(
        tmp_path / "more", steps=30, items=64, batch=16, seed=1, layers=1, width=64
    )
    assert more < few - 0.1  # all of them are within the warm-up of the learning rate


def test_the_command_line_trains_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "vision"
    command = [sys.executable, "-m", "ingest.demo.train", "vision", "--out", str(out)]
    done = subprocess.run(
        [*command, "--steps", "1", "--items", "64"],
        cwd=Path(ingest.demo.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {
        "config.json",
        "model.safetensors",
        "training.jsonl",
    }


def test_training_modules_import_neither_the_store_nor_the_pipeline() -> None:
    script = (
        "import sys, ingest.demo.vision_training, ingest.demo.language_model\n"
        "print({'lancedb', 'polars', 'pycocotools', 'vdb', 'ingest.datasets'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(ingest.demo.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
