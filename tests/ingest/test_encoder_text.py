"""Language models against a forward pass written out by hand, one text at a time and without padding."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers as tr
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from ingest.encoders import EncoderOptions, load_encoder
from vdb.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ingest.encoders import Encoder

RELATIVE = 1e-5
"""How far a value may be off, of the largest in its layer: sums are ordered by the shape of the batch."""

SEED = 5
WORDS = [
    "a",
    "the",
    "dog",
    "cat",
    "bird",
    "runs",
    "sleeps",
    "sings",
    "on",
    "under",
    "near",
    "red",
    "blue",
    "green",
    "small",
    "big",
    "park",
    "river",
]
SPECIAL = ["<pad>", "<cls>", "<sep>", "<bos>", "<unk>"]
VOCABULARY = 40
TEXTS = [
    "the small dog runs near the river",
    "a bird sings",
    "cat",
    "the big red cat sleeps under the blue park on a green river near the dog",
    "a a a",
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def causal(n: int) -> torch.Tensor:
    return torch.full((n, n), -math.inf).triu(1)[None, None]


def gpt2(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    states = [m.wte.weight[ids] + m.wpe.weight[: ids.shape[1]]]
    for block in m.h[:-1]:
        states.append(first(block(states[-1], attention_mask=causal(ids.shape[1]))))
    return [*states, m.ln_f(first(m.h[-1](states[-1], attention_mask=causal(ids.shape[1]))))]


def bloom(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    states = [m.word_embeddings_layernorm(m.word_embeddings.weight[ids])]
    # Two heads: ALiBi's slopes are 2^-4 and 2^-8.
    alibi = torch.tensor([2.0**-4, 2.0**-8])[:, None, None] * torch.arange(ids.shape[1])[None, None]
    for block in m.h:
        states.append(first(block(states[-1], alibi=alibi, attention_mask=causal(ids.shape[1]))))
    return [*states[:-1], m.ln_f(states[-1])]


def neox(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return rotary(m, m.embed_in.weight[ids], m.final_layer_norm)


def llama(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return rotary(m, m.embed_tokens.weight[ids], m.norm)


def gemma(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return rotary(m, m.embed_tokens.weight[ids] * math.sqrt(m.config.hidden_size), m.norm)


def rotary(m: Any, x: torch.Tensor, norm: Any) -> list[torch.Tensor]:
    positions = torch.arange(x.shape[1])[None]
    states = [x]
    for layer in m.layers:
        out = layer(
            states[-1],
            attention_mask=causal(x.shape[1]),
            position_embeddings=m.rotary_emb(x, positions),
        )
        states.append(first(out))
    return [*states[:-1], norm(states[-1])]


def bert(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return post_norm(m, ids, torch.arange(ids.shape[1]))


def roberta(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return post_norm(m, ids, torch.arange(ids.shape[1]) + m.config.pad_token_id + 1)


def post_norm(m: Any, ids: torch.Tensor, positions: torch.Tensor) -> list[torch.Tensor]:
    e = m.embeddings
    x = e.word_embeddings.weight[ids] + e.position_embeddings.weight[positions]
    states = [e.LayerNorm(x + e.token_type_embeddings.weight[0])]
    for layer in m.encoder.layer:
        states.append(first(layer(states[-1])))
    return states


def mpnet(m: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    e = m.embeddings
    positions = torch.arange(ids.shape[1]) + m.config.pad_token_id + 1
    states = [e.LayerNorm(e.word_embeddings.weight[ids] + e.position_embeddings.weight[positions])]
    bias = m.encoder.compute_position_bias(states[0])
    for layer in m.encoder.layer:
        states.append(first(layer(states[-1], None, bias)))
    return states


def first(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}
LLAMA_LIKE = {**COMMON, "intermediate_size": 32, "max_position_embeddings": 64, "head_dim": 8}
GROUPED = {**LLAMA_LIKE, "num_key_value_heads": 1}
BERT_LIKE = {**COMMON, "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 0}
# family: configuration, hand-written forward, how its tokenizer opens and closes a text, norm past the last block
FAMILIES: dict[str, tuple[Any, Any, str, bool]] = {
    "gpt2": (
        tr.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=3, n_head=2, n_positions=64),
        gpt2,
        "$A",
        True,
    ),
    "pythia": (
        tr.GPTNeoXConfig(**COMMON, intermediate_size=32, max_position_embeddings=64),
        neox,
        "$A",
        True,
    ),
    "bloom": (
        tr.BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=3, n_head=2),
        bloom,
        "$A",
        True,
    ),
    "llama": (tr.LlamaConfig(**LLAMA_LIKE), llama, "<bos> $A", True),
    "qwen2": (
        tr.Qwen2Config(**{k: v for k, v in GROUPED.items() if k != "head_dim"}),
        llama,
        "$A",
        True,
    ),
    "qwen3": (tr.Qwen3Config(**GROUPED), llama, "$A", True),
    "gemma": (tr.GemmaConfig(**GROUPED), gemma, "<bos> $A", True),
    "bert": (tr.BertConfig(**BERT_LIKE), bert, "<cls> $A <sep>", False),
    "roberta": (tr.RobertaConfig(**BERT_LIKE), roberta, "<cls> $A <sep>", False),
    "mpnet": (tr.MPNetConfig(**BERT_LIKE), mpnet, "<cls> $A <sep>", False),
}


def make_tokenizer(template: str, *, pad: bool) -> Any:
    words = [*SPECIAL, *WORDS]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a token, not a secret
    tokenizer.pre_tokenizer = Whitespace()
    special = [(token, vocabulary[token]) for token in template.split() if token != "$A"]  # noqa: S105
    if special:
        tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=special)
    names = {"<cls>": "cls_token", "<sep>": "sep_token", "<bos>": "bos_token"}
    return tr.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",  # noqa: S106
        **({"pad_token": "<pad>"} if pad else {}),
        **{names[token]: token for token, _ in special},
    )


def make_directory(root: Path, family: str, *, pad: bool = True, weights: bool = False) -> Path:
    config, _, template, _ = FAMILIES[family]
    directory = root / f"tiny-{family}"
    directory.mkdir()
    make_tokenizer(template, pad=pad).save_pretrained(directory)
    if weights:
        library_model(family, SEED).save_pretrained(directory)
    else:
        config.save_pretrained(directory)
    return directory


def library_model(family: str, seed: int) -> Any:
    """The same architecture with the weights that the library draws after ``torch.manual_seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return tr.AutoModel.from_config(FAMILIES[family][0]).eval()


def float32(**options: Any) -> EncoderOptions:
    return EncoderOptions(device="cpu", stored_dtype="float32", **options)


def encode(encoder: Encoder, texts: Sequence[str], size: int) -> np.ndarray:
    items = [encoder.prepare(text) for text in texts]
    return np.concatenate([encoder.encode(items[i : i + size]) for i in range(0, len(items), size)])


def ids_of(text: str, template: str) -> list[int]:
    words = [*SPECIAL, *WORDS]
    return [
        words.index(word)
        for part in template.split()
        for word in (text.split() if part == "$A" else [part])
    ]


def by_hand(family: str, texts: Sequence[str], pooling: str, seed: int = SEED) -> list[np.ndarray]:
    """A (n, width) array for each hidden state."""
    _, forward, template, _ = FAMILIES[family]
    model = library_model(family, seed)
    rows = []
    for text in texts:
        with torch.no_grad():
            states = forward(model, torch.tensor([ids_of(text, template)]))
        tokens = [state[0].double().numpy() for state in states]
        rows.append([POOL[pooling](x) for x in tokens])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


POOL = {"mean": lambda x: x.mean(0), "last": lambda x: x[-1], "cls": lambda x: x[0]}


def assert_close(actual: np.ndarray, expected: Sequence[np.ndarray]) -> None:
    for index, (a, e) in enumerate(
        zip(np.split(actual, len(expected), axis=1), expected, strict=True)
    ):
        np.testing.assert_allclose(
            a, e, rtol=0, atol=RELATIVE * np.abs(e).max(), err_msg=f"hidden state {index}"
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "last", "cls"])
def test_every_state_equals_the_hand_written_forward(
    family: str, pooling: str, tmp_path: Path
) -> None:
    directory = make_directory(tmp_path, family)
    options = float32(random_init=SEED, pooling=pooling)
    if pooling == "cls" and "<cls>" not in FAMILIES[family][2]:
        with pytest.raises(
            ModelError, match="do not begin with a class token; use --pool mean or last"
        ):
            load_encoder(str(directory), options)
        return
    encoder = load_encoder(str(directory), options)
    texts = (TEXTS * 7)[:32]
    expected = by_hand(family, texts, pooling)
    assert_close(encode(encoder, texts, 32), expected)
    assert_close(encode(encoder, texts[:5], 1), [e[:5] for e in expected])


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_read_while_they_are_produced_and_named(family: str, tmp_path: Path) -> None:
    encoder = load_encoder(str(make_directory(tmp_path, family)), float32(random_init=SEED))
    assert encoder._reader.tapped  # type: ignore[attr-defined]
    names = [layer.name for layer in encoder.recipe.layers]
    last = "hidden_states.3 (final norm)" if FAMILIES[family][3] else "hidden_states.3"
    assert names == ["hidden_states.0 (embedding)", "hidden_states.1", "hidden_states.2", last]
    assert [layer.depth for layer in encoder.recipe.layers] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_blocks_shared_between_layers_are_read_the_librarys_way(tmp_path: Path) -> None:
    config = tr.AlbertConfig(
        **{**BERT_LIKE, "embedding_size": 8, "num_hidden_groups": 1, "inner_group_num": 1}
    )
    config.save_pretrained(tmp_path)
    make_tokenizer("<cls> $A <sep>", pad=True).save_pretrained(tmp_path)
    encoder = load_encoder(f"hf:{tmp_path}", float32(random_init=SEED))
    assert not encoder._reader.tapped  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = tr.AutoModel.from_config(config).eval()
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            ids = torch.tensor([ids_of(text, "<cls> $A <sep>")])
            states = [model.encoder.embedding_hidden_mapping_in(model.embeddings(ids))]
            layer = model.encoder.albert_layer_groups[0].albert_layers[0]
            for _ in range(3):
                states.append(first(layer(states[-1])))
        rows.append([state[0].mean(0).numpy() for state in states])
    assert_close(encode(encoder, TEXTS, 5), [np.stack(layer) for layer in zip(*rows, strict=True)])


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_the_pad_token_is_inert(family: str, tmp_path: Path) -> None:
    """A tokenizer without one gets another id, and no vector changes."""
    with_pad = load_encoder(str(make_directory(tmp_path, family)), float32(random_init=SEED))
    (tmp_path / "none").mkdir()
    without = load_encoder(
        str(make_directory(tmp_path / "none", family, pad=False)), float32(random_init=SEED)
    )
    without._pad_id = 9  # type: ignore[attr-defined]
    np.testing.assert_array_equal(encode(with_pad, TEXTS, 5), encode(without, TEXTS, 5))


def test_padding_is_on_the_right_whatever_the_tokenizer_says(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, "gpt2")
    tokenizer = make_tokenizer("$A", pad=True)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer.save_pretrained(directory)
    encoder = load_encoder(str(directory), float32(random_init=SEED, max_length=3))
    assert_close(encode(encoder, TEXTS, 5), by_hand("gpt2", [cut(t, 3) for t in TEXTS], "mean"))


def cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


@pytest.mark.parametrize(("family", "added"), [("gpt2", 0), ("llama", 1), ("bert", 2)])
def test_truncation_keeps_special_tokens_and_is_counted(
    family: str, added: int, tmp_path: Path
) -> None:
    encoder = load_encoder(
        str(make_directory(tmp_path, family)), float32(random_init=SEED, max_length=5)
    )
    items = [encoder.prepare(text) for text in TEXTS]
    assert [item.truncated for item in items] == [len(text.split()) + added > 5 for text in TEXTS]
    assert max(item.length for item in items) == 5
    kept = [cut(text, 5 - added) for text in TEXTS]
    assert_close(encode(encoder, TEXTS, 5), by_hand(family, kept, "mean"))
    assert encoder.recipe.preprocessing["max_length"] == 5


@pytest.mark.parametrize(
    ("family", "context"), [("gpt2", 64), ("bert", 64), ("roberta", 63), ("bloom", None)]
)
def test_a_text_may_be_as_long_as_the_model_can_read(
    family: str, context: int | None, tmp_path: Path
) -> None:
    directory = make_directory(tmp_path, family)
    encoder = load_encoder(str(directory), float32(random_init=SEED))
    assert encoder.recipe.preprocessing["max_length"] == context
    encode(encoder, ["dog " * 100], 1)
    if context is not None:
        with pytest.raises(ModelError, match=f"not within its context of {context} tokens"):
            load_encoder(str(directory), float32(random_init=SEED, max_length=context + 1))


def test_special_tokens_are_in_the_mean_unless_left_out(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, "bert")
    encoder = load_encoder(str(directory), float32(random_init=SEED, special_tokens=False))
    model = library_model("bert", SEED)
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            states = bert(model, torch.tensor([ids_of(text, "<cls> $A <sep>")]))
        rows.append([state[0, 1:-1].mean(0).numpy() for state in states])
    assert_close(encode(encoder, TEXTS, 5), [np.stack(layer) for layer in zip(*rows, strict=True)])
    assert encoder.recipe.preprocessing["special_tokens"] == "left out"
    default = load_encoder(str(directory), float32(random_init=SEED)).recipe
    assert default.preprocessing["special_tokens"] == "pooled"
    assert default.fingerprint != encoder.recipe.fingerprint


@pytest.mark.parametrize("text", ["", "  \n", None, 3])
def test_what_is_no_text_is_refused(text: Any, tmp_path: Path) -> None:
    encoder = load_encoder(str(make_directory(tmp_path, "gpt2")), float32(random_init=SEED))
    with pytest.raises(InputError, match=r"tiny-gpt2: (the text is empty|takes a text)"):
        encoder.prepare(text)


def test_prepare_is_safe_in_threads(tmp_path: Path) -> None:
    """Truncated and untruncated texts at once: a fast tokenizer keeps its truncation setting inside."""
    encoder = load_encoder(
        str(make_directory(tmp_path, "bert")), float32(random_init=SEED, max_length=6)
    )
    expected = [encoder.prepare(text) for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(encoder.prepare, TEXTS * 200))
    assert actual == expected * 200


def test_a_local_directory_gives_the_weights_it_holds(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, "gpt2", weights=True)
    saved = load_encoder(str(directory), float32())
    drawn = load_encoder(str(directory), float32(random_init=SEED))
    np.testing.assert_array_equal(encode(saved, TEXTS, 5), encode(drawn, TEXTS, 5))
    assert saved.recipe.revision != drawn.recipe.revision


def test_a_checkpoint_with_missing_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    directory = make_directory(tmp_path, "gpt2", weights=True)
    state = load_file(directory / "model.safetensors")
    del state["h.1.mlp.c_fc.weight"]
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"weights lack h\.1\.mlp\.c_fc\.weight \(1 in all\)"):
        load_encoder(str(directory), float32())


def test_a_seed_decides_the_weights_and_moves_no_global_state(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, "gpt2")
    before = torch.get_rng_state()
    one, again, two = (
        encode(load_encoder(str(directory), float32(random_init=seed)), TEXTS, 5)
        for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - two).max() > 0.01


def test_only_the_encoder_of_an_encoder_decoder_is_read(tmp_path: Path) -> None:
    config = tr.T5Config(
        vocab_size=VOCABULARY,
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        num_decoder_layers=2,
    )
    config.save_pretrained(tmp_path)
    make_tokenizer("$A <sep>", pad=True).save_pretrained(tmp_path)
    encoder = load_encoder(f"hf:{tmp_path}", float32(random_init=SEED))
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = tr.AutoModel.from_config(config).eval()
    with torch.no_grad():
        ids = torch.tensor([ids_of(TEXTS[0], "$A <sep>")])
        last = model.encoder(input_ids=ids).last_hidden_state[0].mean(0).numpy()
    assert len(encoder.recipe.layers) == 3
    np.testing.assert_allclose(encode(encoder, TEXTS, 5)[0, -16:], last, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_near_and_recorded(dtype: Any, tmp_path: Path) -> None:
    directory = make_directory(tmp_path, "gpt2")
    full = encode(load_encoder(str(directory), float32(random_init=SEED)), TEXTS, 5)
    encoder = load_encoder(str(directory), float32(random_init=SEED, dtype=dtype))
    epsilon = torch.finfo(getattr(torch, dtype)).eps
    assert encoder.recipe.dtype == dtype
    assert 0 < np.abs(encode(encoder, TEXTS, 5) - full).max() < 16 * epsilon * np.abs(full).max()
