"""Where a model runs, at which precision, and from which seed its weights are drawn."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

TORCH_DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Precisions of the forward pass. Weights and activations are cast (docs/design/encoders.md says why)."""


def resolve_device(name: str) -> torch.device:
    """Turn ``auto`` or a torch device's name into a device.

    Raises
    ------
    InputError
        The name is none, or the device is not on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"no device {name!r}; use auto, cpu, cuda, cuda:1 or mps") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name!r} is not here: this machine has {torch.cuda.device_count()} CUDA devices; "
            "use --device auto"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' is not here; use --device auto")
    return device


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Let torch draw from ``seed`` on the CPU inside the block; the global state is as it was afterwards.

    None changes nothing inside, and still keeps the global state from moving.
    """
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield
