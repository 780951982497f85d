"""Texts to token ids: special tokens marked, truncation counted, safe to call from many threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ingest.encoders.base import Prepared
from vdb.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

_UNSET_LENGTH = 1 << 30
"""Tokenizers without a limit of their own report an astronomical one."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The ids of one text, and which of them are the text's own rather than added by the tokenizer."""

    ids: tuple[int, ...]
    own: tuple[bool, ...]


class TextPreparer:
    """Tokenises one text at a time.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    max_length : int, optional
        Longest text in tokens, special ones included; None where the model has no limit.
    prompt : str
        Put before each text.
    lower_case : bool
        Whether texts are lower-cased first (an old setting of sentence-transformers).
    model : str
        For errors.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401 - transformers is untyped here
        max_length: int | None,
        prompt: str,
        model: str,
        *,
        lower_case: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._prompt = prompt
        self._lower_case = lower_case
        self._model = model
        # Fast tokenizers keep their truncation setting inside: two threads asking for different ones collide.
        self._lock = threading.Lock()

    def __call__(self, item: Any) -> Prepared:  # noqa: ANN401 - checked here
        """Tokenise one text.

        Raises
        ------
        InputError
            It is no text, or has no token to pool.
        """
        if not isinstance(item, str):
            raise InputError(f"{self._model}: takes a text, not {type(item).__name__}")
        if not item.strip():
            raise InputError(f"{self._model}: the text is empty")
        text = self._prompt + (item.lower() if self._lower_case else item)
        with self._lock:
            tokens = self._tokens(text)
            truncated = self._max_length is not None and len(tokens.ids) > self._max_length
            if truncated:
                tokens = self._tokens(text, truncation=True, max_length=self._max_length)
        if not any(tokens.own):
            raise InputError(f"{self._model}: the text has no token that the model knows")
        return Prepared(tokens, length=len(tokens.ids), truncated=truncated)

    def _tokens(self, text: str, **options: Any) -> Tokens:  # noqa: ANN401 - passed on
        encoded = self._tokenizer(text, return_special_tokens_mask=True, verbose=False, **options)
        return Tokens(
            tuple(encoded["input_ids"]), tuple(not mark for mark in encoded["special_tokens_mask"])
        )


def collate(
    batch: Sequence[Prepared], pad_id: int, device: torch.device, *, special_tokens: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Pad a batch on the right.

    Returns
    -------
    ids : (n, longest) int64
    attention : (n, longest) bool
        True on every token of a text.
    pooled : (n, longest) bool
        True on the tokens that may be pooled: those of ``attention``, less the special ones where they are left out.
    """
    longest = max(item.length for item in batch)
    ids = torch.full((len(batch), longest), pad_id, dtype=torch.int64)
    attention = torch.zeros((len(batch), longest), dtype=torch.bool)
    pooled = torch.zeros((len(batch), longest), dtype=torch.bool)
    for row, item in enumerate(batch):
        tokens: Tokens = item.data
        ids[row, : item.length] = torch.tensor(tokens.ids)
        attention[row, : item.length] = True
        pooled[row, : item.length] = True if special_tokens else torch.tensor(tokens.own)
    return ids.to(device), attention.to(device), pooled.to(device)


def context_length(model: nn.Module, tokenizer: Any) -> int | None:  # noqa: ANN401 - transformers is untyped here
    """Return how many tokens a model can take: the least of what its tokenizer, configuration and table say."""
    limits = [
        getattr(tokenizer, "model_max_length", None),
        getattr(model.config, "max_position_embeddings", None),
    ]
    for path, table in model.named_modules():
        if path.rpartition(".")[2] == "position_embeddings" and isinstance(
            table, torch.nn.Embedding
        ):
            # RoBERTa and MPNet count positions from the one after padding.
            used = 0 if table.padding_idx is None else table.padding_idx + 1
            limits.append(table.num_embeddings - used)
    known = [int(limit) for limit in limits if limit is not None and 0 < limit < _UNSET_LENGTH]
    return min(known) if known else None


def chosen_length(
    asked: int | None, own: int | None, context: int | None, model: str
) -> int | None:
    """Choose the longest text: what was asked for, else the model's own setting, within its context.

    Raises
    ------
    ModelError
        More was asked for than the model can take.
    """
    if asked is None:
        return min((n for n in (own, context) if n is not None), default=None)
    if asked < 1 or (context is not None and asked > context):
        raise ModelError(
            f"{model}: --max-length {asked} is not within its context of {context} tokens"
        )
    return asked
