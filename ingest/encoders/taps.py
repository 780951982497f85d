"""One row a batch item, one slice a layer: pooled vectors are written here while the forward pass runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vdb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vdb.recipe import Layer, StoredDtype

_STORED: dict[str, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


class Sheet:
    """The vectors of one batch, on the device, in the stored dtype; copied to the host once, at the end.

    Writing each layer into its slice as it is produced means that no layer's tokens outlive the layer, and that
    nothing has to be concatenated.

    Parameters
    ----------
    layers : sequence of Layer
    rows : int
        Items in the batch.
    dtype : {"float16", "float32"}
    device : torch.device
    """

    def __init__(
        self, layers: Sequence[Layer], rows: int, dtype: StoredDtype, device: torch.device
    ) -> None:
        self._layers = layers
        width = sum(layer.width for layer in layers)
        self._values = torch.empty((rows, width), dtype=_STORED[dtype], device=device)
        self._slices = torch.split(self._values, [layer.width for layer in layers], dim=1)
        self._written = [0] * len(layers)

    def write(self, index: int, pooled: Tensor) -> None:
        """Put layer ``index``'s (rows, width) vectors in their slice; too large for float16 becomes inf."""
        self._slices[index].copy_(pooled)
        self._written[index] += 1

    def to_host(self, model: str) -> NDArray[np.floating]:
        """Return the (rows, sum of widths) array.

        Raises
        ------
        ModelError
            A layer was not produced exactly once in this forward pass.
        """
        for layer, times in zip(self._layers, self._written, strict=True):
            if times != 1:
                raise ModelError(
                    f"{model}: layer {layer.name} was produced {times} times in one forward pass, not once; "
                    "this architecture cannot be read block by block"
                )
        host: NDArray[np.floating] = self._values.cpu().numpy()
        return host
