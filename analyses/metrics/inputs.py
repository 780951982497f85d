"""What every metric asks of its layers before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_MATRIX = 2


def check_layers(vision: Sequence[Tensor], language: Sequence[Tensor]) -> int:
    """Check that all layers are finite matrices over the same rows.

    Parameters
    ----------
    vision, language : sequences of (n, width) floating tensors
        Row i of every layer belongs to item i.

    Returns
    -------
    int
        n, the number of rows.

    Raises
    ------
    InputError
        Naming the side and the layer that is no matrix, has another number of rows, or holds NaN or inf.
    """
    sides = (("vision", vision), ("language", language))
    for side, layers in sides:
        if not layers:
            raise InputError(f"no {side} layers given: name at least one")
    rows = int(vision[0].shape[0])
    for side, layers in sides:
        for index, layer in enumerate(layers):
            where = f"{side} layer {index}"
            if layer.ndim != _MATRIX or not layer.is_floating_point():
                raise InputError(
                    f"{where} must be an (items, width) matrix of floats, "
                    f"not {tuple(layer.shape)} {layer.dtype}"
                )
            if layer.shape[0] != rows:
                raise InputError(
                    f"{where} has {layer.shape[0]} rows where vision layer 0 has {rows}: "
                    "every layer must hold the same items in the same order"
                )
            if not bool(torch.isfinite(layer).all()):
                bad = int((~torch.isfinite(layer)).any(dim=1).nonzero()[0, 0])
                raise InputError(f"{where} holds NaN or inf, first in row {bad}")
    return rows


def check_groups(groups: Sequence[object] | None, rows: int) -> list[str]:
    """Return the group of each row as text; without groups every row is its own.

    Raises
    ------
    InputError
        If there is not one group for each row.
    """
    if groups is None:
        return [str(i) for i in range(rows)]
    if len(groups) != rows:
        raise InputError(f"{len(groups)} groups given for {rows} rows: each row needs its group")
    return [str(group) for group in groups]
