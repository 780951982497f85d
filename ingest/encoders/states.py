"""The hidden states of a language model, read while they are produced.

transformers hands out all hidden states at the end, which keeps every layer's tokens in memory until then. State i < L
is what block i receives and state L is what the model returns, so hooks before the blocks see the same tensors one at
a time. That this holds is not assumed: it is checked on a few tokens when the model is loaded, and a model for which
it does not (blocks shared between layers, several streams) is read the library's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vdb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Receiver = Callable[[int, Tensor], None]

_PROBE_TOKENS = 3


class StateReader:
    """Runs a model and hands each hidden state, (n, tokens, width), to a receiver, first to last.

    Parameters
    ----------
    model : nn.Module
        A transformers base model, in evaluation mode.
    name : str
        For errors.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        self._model = model
        self._receive: Receiver | None = None
        expected, final_norm = _library_states(model, name)
        self.widths = [int(state.shape[-1]) for state in expected]
        """Width of each state."""
        self.names = _names(len(expected), final_norm=final_norm)
        """Name of each state: ``hidden_states.0 (embedding)`` ... ``hidden_states.12 (final norm)``."""
        self.tapped = self._tap(expected)
        """Whether states are read by hooks, rather than collected by the library."""

    def run(self, ids: Tensor, attention: Tensor, receive: Receiver) -> None:
        """Run one forward pass over (n, tokens) ids and their mask."""
        inputs = {"input_ids": ids, "attention_mask": attention.long()}
        if not self.tapped:
            for index, state in enumerate(
                self._model(**inputs, output_hidden_states=True).hidden_states
            ):
                receive(index, state)
            return
        self._receive = receive
        try:
            last = self._model(**inputs).last_hidden_state
        finally:
            self._receive = None
        receive(len(self.widths) - 1, last)

    def _tap(self, expected: Sequence[Tensor]) -> bool:
        """Attach hooks to the inputs of the blocks, and see that they are the library's hidden states."""
        blocks = _stack(self._model, len(expected) - 1)
        if blocks is None:
            return False
        handles = [
            block.register_forward_pre_hook(self._hook(index), with_kwargs=True)
            for index, block in enumerate(blocks)
        ]
        seen: dict[int, Tensor] = {}
        self.tapped = True
        with torch.inference_mode():
            self.run(*_probe_inputs(self._model), lambda index, state: seen.update({index: state}))
        agrees = len(seen) == len(expected) and all(
            seen[index].shape == state.shape and torch.equal(seen[index], state)
            for index, state in enumerate(expected)
        )
        if not agrees:
            for handle in handles:
                handle.remove()
        return agrees

    def _hook(self, index: int) -> Callable[..., None]:
        def look(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            state = args[0] if args else kwargs.get("hidden_states")
            if self._receive is not None and isinstance(state, Tensor):
                self._receive(index, state)

        return look


def _library_states(model: nn.Module, name: str) -> tuple[tuple[Tensor, ...], bool]:
    """Return all hidden states of a few tokens, and whether the last of them is a norm past the last block."""
    blocks = _stack(model, int(getattr(model.config, "num_hidden_layers", 0) or 0))
    block_outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        block_outputs.append(output[0] if isinstance(output, tuple) else output)  # type: ignore[arg-type] # a tensor

    handle = None if blocks is None else blocks[-1].register_forward_hook(keep)
    ids, attention = _probe_inputs(model)
    try:
        with torch.inference_mode():
            output = model(
                input_ids=ids, attention_mask=attention.long(), output_hidden_states=True
            )
    finally:
        if handle is not None:
            handle.remove()
    states = getattr(output, "hidden_states", None)
    if not states:
        raise ModelError(
            f"{name}: {type(model).__name__} gives no hidden states; it cannot be read layer by layer"
        )
    final_norm = bool(block_outputs) and not torch.equal(block_outputs[-1], states[-1])
    return tuple(states), final_norm


def _probe_inputs(model: nn.Module) -> tuple[Tensor, Tensor]:
    device = next(model.parameters()).device
    # Ids past the special ones that open most vocabularies: a pad among them would be embedded as zeros.
    ids = torch.arange(5, 5 + _PROBE_TOKENS, device=device).unsqueeze(0)
    return ids, torch.ones_like(ids, dtype=torch.bool)


def _stack(model: nn.Module, depth: int) -> nn.ModuleList | None:
    """Find the model's blocks: the one list of modules as long as the model is deep."""

    def candidates() -> Iterator[nn.ModuleList]:
        for module in model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == depth:
                yield module

    return next(candidates(), None) if depth else None


def _names(count: int, *, final_norm: bool) -> list[str]:
    names = [f"hidden_states.{index}" for index in range(count)]
    names[0] += " (embedding)"
    if final_norm:
        names[-1] += " (final norm)"
    return names
