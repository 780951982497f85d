"""The catalogue against the libraries: every timm entry is built, every language entry's shape is configured."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import timm
import torch
import transformers as tr

from ingest.catalogue import catalogue, find, parse
from vdb.errors import InputError, NotFoundError

CARDS = catalogue()
TIMM = [name for name, card in CARDS.items() if card.library == "timm"]
LANGUAGE = [name for name, card in CARDS.items() if card.library != "timm"]


def test_the_models_of_the_study_are_there() -> None:
    """The families of the Platonic Representation Hypothesis, smallest to largest."""
    vision = {
        "ViT augreg": ["vit-ti", "vit-s", "vit-b", "vit-l"],
        "MAE": ["mae-b", "mae-l", "mae-h"],
        "DINOv2": ["dinov2-s", "dinov2-b", "dinov2-l", "dinov2-g"],
        "CLIP LAION-2B": ["clip-b", "clip-l", "clip-h"],
        "CLIP fine-tuned on ImageNet-12k": ["clip-ft-b", "clip-ft-l", "clip-ft-h"],
    }
    language = {
        "BLOOMZ": ["bloomz-560m", "bloomz-1b1", "bloomz-1b7", "bloomz-3b", "bloomz-7b1"],
        "OpenLLaMA": ["open-llama-3b", "open-llama-7b", "open-llama-13b"],
        "LLaMA": ["llama-7b", "llama-13b", "llama-30b", "llama-65b"],
    }
    for family, names in {**vision, **language}.items():
        cards = [card for card in CARDS.values() if card.family == family]
        assert [card.name for card in cards] == names
        assert [card.parameters for card in cards] == sorted(card.parameters for card in cards)


@pytest.mark.parametrize("name", TIMM)
def test_a_timm_entry_is_what_timm_builds(name: str) -> None:
    """Built and run on the meta device: shapes without values."""
    card = CARDS[name]
    config = timm.get_pretrained_cfg(card.id)
    assert config is not None
    assert (config.hf_hub_id, config.license) == (card.repository, card.licence)
    with torch.device("meta"):
        model = timm.create_model(card.id, num_classes=0).eval()
    features = meta_features(model, config.input_size)
    widths = [width for width, count in features for _ in range(count)]
    assert len(widths) == card.layers
    assert tuple(dict.fromkeys(widths)) == card.widths
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(
        card.parameters, abs=0.06
    )
    assert (card.pooling == "cls") == (getattr(model, "cls_token", None) is not None)


def meta_features(model: Any, input_size: tuple[int, int, int]) -> list[tuple[int, int]]:
    """(width, blocks) of each stage, from timm's own description of its stages and the stages' lengths."""
    widths = [info["num_chs"] for info in model.feature_info]
    if hasattr(model, "layer1"):  # ResNet: the stem is a feature as well
        return [(w, len(getattr(model, f"layer{i + 1}"))) for i, w in enumerate(widths[1:])]
    if hasattr(model, "conv_stem"):  # EfficientNet: widths change where its features do not say
        x = model.bn1(model.conv_stem(torch.zeros(1, *input_size, device="meta")))
        stages = []
        for stage in model.blocks:
            x = stage(x)
            stages.append((x.shape[1], len(stage)))
        return stages
    stages = getattr(model, "stages", None) or getattr(model, "layers", None)
    if stages is not None:
        return [(w, len(stage.blocks)) for w, stage in zip(widths, stages, strict=True)]
    return [(w, 1) for w in widths]


def bloom(hidden: int, layers: int) -> Any:
    return tr.BloomConfig(vocab_size=250880, hidden_size=hidden, n_layer=layers, n_head=16)


def llama(hidden: int, layers: int, inner: int, heads: int = 32) -> Any:
    return tr.LlamaConfig(
        vocab_size=32000,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
    )


def bert(hidden: int, layers: int, vocabulary: int = 30522) -> Any:
    return tr.BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=4 * hidden,
    )


def gpt2(hidden: int, layers: int, heads: int) -> Any:
    return tr.GPT2Config(n_embd=hidden, n_layer=layers, n_head=heads)


def pythia(hidden: int, layers: int, heads: int, vocabulary: int = 50304) -> Any:
    return tr.GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
    )


# Shapes as published with each family, written down apart from the catalogue.
SHAPES: dict[str, Any] = {
    "bloomz-560m": bloom(1024, 24),
    "bloomz-1b1": bloom(1536, 24),
    "bloomz-1b7": bloom(2048, 24),
    "bloomz-3b": bloom(2560, 30),
    "bloomz-7b1": bloom(4096, 30),
    "open-llama-3b": llama(3200, 26, 8640),
    "open-llama-7b": llama(4096, 32, 11008),
    "open-llama-13b": llama(5120, 40, 13824, 40),
    "llama-7b": llama(4096, 32, 11008),
    "llama-13b": llama(5120, 40, 13824, 40),
    "llama-30b": llama(6656, 60, 17920, 52),
    "llama-65b": llama(8192, 80, 22016, 64),
    "gpt2": gpt2(768, 12, 12),
    "gpt2-medium": gpt2(1024, 24, 16),
    "gpt2-large": gpt2(1280, 36, 20),
    "gpt2-xl": gpt2(1600, 48, 25),
    "pythia-70m": pythia(512, 6, 8),
    "pythia-160m": pythia(768, 12, 12),
    "pythia-410m": pythia(1024, 24, 16),
    "pythia-1b": pythia(2048, 16, 8),
    "pythia-1.4b": pythia(2048, 24, 16),
    "pythia-2.8b": pythia(2560, 32, 32),
    "pythia-6.9b": pythia(4096, 32, 32, 50432),
    "pythia-12b": pythia(5120, 36, 40, 50688),
    "bert-base": bert(768, 12),
    "bert-base-cased": bert(768, 12, 28996),
    "bert-large": bert(1024, 24),
    "minilm": bert(384, 6),
    "minilm-l12": bert(384, 12),
    "bge-small": bert(384, 12),
    "bge-base": bert(768, 12),
    "bge-large": bert(1024, 24),
    "e5-small": bert(384, 12),
    "e5-base": bert(768, 12),
    "e5-large": bert(1024, 24),
}

# Which architecture a family is, for the entries whose full shape is not written above.
PARTLY = {
    "Qwen2.5": "qwen2",
    "Qwen3": "qwen3",
    "Gemma": "gemma",
    "RoBERTa": "roberta",
    "MPNet": "mpnet",
}


@pytest.mark.parametrize("name", [name for name in LANGUAGE if name in SHAPES])
def test_a_language_entry_has_the_published_shape(name: str) -> None:
    card, config = CARDS[name], SHAPES[name]
    with torch.device("meta"):
        model = tr.AutoModel.from_config(config)
    assert (card.layers, card.widths) == (config.num_hidden_layers + 1, (config.hidden_size,))
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(
        card.parameters, abs=0.06
    )


@pytest.mark.parametrize("name", [name for name in LANGUAGE if name not in SHAPES])
def test_the_other_language_entries_are_of_a_known_architecture_and_a_plausible_size(
    name: str,
) -> None:
    card = CARDS[name]
    assert PARTLY[card.family] in tr.CONFIG_MAPPING
    (width,), blocks = card.widths, card.layers - 1
    # A block holds 12 width^2 in the classic layout, 7 to 30 with grouped keys and wide gates; a table of tokens
    # of 30 to 262 thousand rows stands below them.
    low, high = (
        (7 * width**2 * blocks + 30e3 * width) / 1e6,
        (30 * width**2 * blocks + 263e3 * width) / 1e6,
    )
    assert low < card.parameters < high


def test_no_two_models_answer_to_one_name() -> None:
    names = Counter(n for card in CARDS.values() for n in (card.name, *card.aliases, card.id))
    assert [name for name, count in names.items() if count > 1 and name not in CARDS] == []
    for name, card in CARDS.items():
        assert {find(n).name for n in (name, *card.aliases, card.id)} == {name}


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        NotFoundError, match=r"no model 'vit-1'; did you mean .*vit-l.*`vdb models`"
    ):
        find("vit-1")


GOOD = """
[[family]]
name = "F"
library = "timm"
licence = "mit"
pooling = "cls"
models = [{ name = "a", id = "x.y", layers = 2, widths = [8], parameters = 1.5 }]
"""


def test_a_familys_fields_are_its_models() -> None:
    card = parse(GOOD)["a"]
    assert (card.family, card.repository, card.modality, card.widths) == (
        "F",
        "timm/x.y",
        "image",
        (8,),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layers = 2", "layer = 2", r"a: unknown field layer$"),
        ("layers = 2, ", "", r"a: missing field layers$"),
        ('library = "timm"', 'library = "tim"', r"no library 'tim'; there are: timm"),
        ('pooling = "cls"', 'pooling = "last"', r"a: no pooling 'last' for images"),
        ("layers = 2", "layers = 0", r"a: layers, widths and parameters must be positive"),
        ("widths = [8]", "widths = []", r"a: layers, widths and parameters must be positive"),
        ("1.5 }]", '1.5, aliases = ["a"] }]', r"a and a both answer to 'a'"),
    ],
)
def test_a_mistake_in_the_catalogue_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError, match=message):
        parse(GOOD.replace(old, new))


def test_listing_models_does_not_load_torch() -> None:
    code = "import sys; from ingest.catalogue import catalogue; catalogue(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
