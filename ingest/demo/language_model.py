"""A small GPT-2 that reads the invented language, and how it is trained: the next token, nothing else."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch.nn import functional as F  # noqa: N812 - torch's own custom
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from ingest.demo.corpus import documents
from ingest.demo.lexicon import pieces
from ingest.demo.record import write_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAD, _BEGIN, _UNKNOWN = "[PAD]", "[BOS]", "[UNK]"
CONTEXT: Final = 256
"""Longest text in tokens; about one document in ten thousand is longer, and cut."""

_IGNORED: Final = -100  # torch's label for what no loss is taken on
_HELD_OUT: Final = 256
_LEARNING_RATE: Final = 3e-3
_WARM_UP: Final = 100  # steps

log = logging.getLogger(__name__)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer: English words whole, each name in three pieces, none left unknown."""
    words, seconds, endings = pieces()
    spelled = [_PAD, _BEGIN, _UNKNOWN, *words, *seconds, *(f"##{ending}" for ending in endings)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(spelled))}
    wordpiece = Tokenizer(models.WordPiece(vocabulary, unk_token=_UNKNOWN))
    wordpiece.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wordpiece.decoder = decoders.WordPiece()
    wordpiece.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A", special_tokens=[(_BEGIN, vocabulary[_BEGIN])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=wordpiece,
        pad_token=_PAD,
        bos_token=_BEGIN,
        unk_token=_UNKNOWN,
        padding_side="right",
        model_max_length=CONTEXT,
    )


def make_model(
    tokenizer: PreTrainedTokenizerFast, *, layers: int = 6, width: int = 128
) -> GPT2LMHeadModel:
    """Make the model with weights from torch's global seed."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=CONTEXT,
            n_embd=width,
            n_layer=layers,
            n_head=width // 32,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.pad_token_id,
            pad_token_id=tokenizer.pad_token_id,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            activation_function="gelu_pytorch_tanh",
            attn_implementation="eager",  # faster than the fused one at this size on a CPU
            use_cache=False,
        )
    )


def next_token_loss(model: GPT2LMHeadModel, ids: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of the next token, in nats, over (n, length) padded ids."""
    padding = model.config.pad_token_id
    ids = ids[:, : int((ids != padding).sum(1).max())]
    # The type of the CPU's own matrix units where it has them; right padding needs no mask under a causal one.
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = model(input_ids=ids[:, :-1]).logits
    labels = ids[:, 1:].masked_fill(ids[:, 1:] == padding, _IGNORED)
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=_IGNORED)


def train(
    out: Path,
    *,
    steps: int,
    items: int,
    batch: int = 32,
    seed: int = 0,
    layers: int = 6,
    width: int = 128,
) -> float:
    """Train on ``items`` documents and save a transformers directory in float16.

    Parameters
    ----------
    out : Path
        Gets ``config.json``, ``model.safetensors``, the tokenizer's files and ``training.jsonl``.
    steps, batch : int
        Number of updates, and documents in each.
    items : int
        Documents to learn from; some more are held out.
    seed : int
        Decides the documents, the weights at the start and the order.
    layers, width : int
        Depth and width of the model.

    Returns
    -------
    float
        Loss on the held-out documents, in nats a token.
    """
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, layers=layers, width=width).to(device)
    held_out = _tokenise(tokenizer, documents(seed, 0, _HELD_OUT)).to(device)
    corpus = _tokenise(tokenizer, documents(seed, _HELD_OUT, _HELD_OUT + items))
    # In order of length, so that a batch of neighbours needs little padding.
    corpus = corpus[(corpus != tokenizer.pad_token_id).sum(1).argsort(stable=True)].to(device)
    log.info("%d documents in %.0f s", items, time.monotonic() - started)

    optimisers = _optimisers(model)
    order = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    for step in range(steps):
        _set_learning_rate(optimisers, min(1, (step + 1) / _WARM_UP) * (1 - 0.95 * step / steps))
        start = int(torch.randint(0, len(corpus) - batch + 1, (1,), generator=order))
        loss = next_token_loss(model, corpus[start : start + batch])
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            history.append({"step": step + 1, "loss": _evaluate(model, held_out)})
            log.info(
                "step %d: held-out %.3f, %.0f s",
                step + 1,
                history[-1]["loss"],
                time.monotonic() - started,
            )

    model.half().save_pretrained(out)
    tokenizer.save_pretrained(out)
    settings = {"steps": steps, "batch": batch, "items": items, "seed": seed}
    write_record(out, [settings, *history])
    return float(history[-1]["loss"])


@torch.inference_mode()
def _evaluate(model: GPT2LMHeadModel, held_out: torch.Tensor) -> float:
    return round(next_token_loss(model, held_out).item(), 4)


def _tokenise(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    ids: torch.Tensor = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")[
        "input_ids"
    ]
    return ids


def _optimisers(model: GPT2LMHeadModel) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, which reaches a loss in half the steps; AdamW for the rest."""
    blocks = {id(p) for p in model.transformer.h.parameters() if p.ndim == 2}  # noqa: PLR2004 - matrices
    matrices = [p for p in model.parameters() if id(p) in blocks]
    others = [p for p in model.parameters() if id(p) not in blocks]
    muon: Callable[..., Any] = torch.optim.Muon
    return [
        muon(matrices, lr=_LEARNING_RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=_LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def _set_learning_rate(optimisers: list[torch.optim.Optimizer], fraction: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * fraction
