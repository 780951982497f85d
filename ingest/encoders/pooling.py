"""How the tokens of one layer become one vector: pure functions from tensors to tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Layout = Literal["tokens", "NCHW", "NHWC"]


def pool_patches(x: Tensor, pooling: str, layout: Layout, prefix: int) -> Tensor:
    """Pool the output of one block of an image model.

    Parameters
    ----------
    x : Tensor
        (n, tokens, width), (n, width, height, width) or (n, height, width, width), by ``layout``.
    pooling : {"cls", "mean"}
    layout : {"tokens", "NCHW", "NHWC"}
    prefix : int
        How many of the first tokens are not patches: class token, registers. They are never in the mean.

    Returns
    -------
    Tensor
        (n, width). The mean is taken in float32 whatever the precision of ``x``.
    """
    if layout == "NCHW":
        return x.mean((2, 3), dtype=torch.float32)
    if layout == "NHWC":
        return x.mean((1, 2), dtype=torch.float32)
    if pooling == "cls":
        return x[:, 0]
    return x[:, prefix:].mean(1, dtype=torch.float32)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Average the tokens that ``mask`` keeps.

    Parameters
    ----------
    x : Tensor
        (n, tokens, width).
    mask : Tensor
        (n, tokens), bool, with at least one True a row.

    Returns
    -------
    Tensor
        (n, width), float32.
    """
    # Dropped tokens are set to zero, not multiplied by it: a pad's activation may be inf in half precision.
    kept = x.masked_fill(~mask.unsqueeze(-1), 0)
    return kept.sum(1, dtype=torch.float32) / mask.sum(1, dtype=torch.float32).unsqueeze(-1)


def last_token(x: Tensor, mask: Tensor) -> Tensor:
    """Take each row's last token that ``mask`` keeps: (n, tokens, width) and (n, tokens) to (n, width)."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    last = positions.expand_as(mask).masked_fill(~mask, -1).amax(1)
    return x[torch.arange(x.shape[0], device=x.device), last]


def first_token(x: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all poolings
    """Take each row's first token: (n, tokens, width) to (n, width)."""
    return x[:, 0]


TEXT_POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": masked_mean,
    "last": last_token,
    "cls": first_token,
}
"""Poolings of a text model; the mask is True on the tokens that may be pooled. Padding is on the right."""
