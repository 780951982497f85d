"""The vectors of the two sides under each alteration, row for row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.matching import mean_rows
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.matching import Matched
    from analyses.perturbation.variants import Alteration
    from vdb.space import Space


@dataclass(frozen=True, slots=True)
class Vectors:
    """Layers over the same n rows.

    Attributes
    ----------
    vision, language : mapping of str to list of (n, width) tensors
        By variant, ``original`` among them; of all layers, or of those of one cell.
    groups : list of str
        Of the rows; never parted by folds.
    """

    vision: Mapping[str, list[Tensor]]
    language: Mapping[str, list[Tensor]]
    groups: list[str]

    @property
    def originals(self) -> tuple[list[Tensor], list[Tensor]]:
        """The layers of both sides as they are."""
        return self.vision[ORIGINAL], self.language[ORIGINAL]

    def under(self, one: Alteration) -> tuple[list[Tensor], list[Tensor]]:
        """Return the layers of both sides under an alteration."""
        return self.vision[one.vision], self.language[one.language]

    def at(self, rows: NDArray[np.bool_]) -> Vectors:
        """Keep the rows that are True."""
        kept = torch.from_numpy(np.flatnonzero(rows))

        def cut(layers: list[Tensor]) -> list[Tensor]:
            return [x.index_select(0, kept.to(x.device)) for x in layers]

        return Vectors(
            {name: cut(layers) for name, layers in self.vision.items()},
            {name: cut(layers) for name, layers in self.language.items()},
            [group for group, keep in zip(self.groups, rows, strict=True) if keep],
        )

    def turned(self, name: str, partner: NDArray[np.int64]) -> Vectors:
        """Add the original captions, each moved to another row, as a variant."""
        rows = torch.from_numpy(partner)
        moved = [x.index_select(0, rows.to(x.device)) for x in self.language[ORIGINAL]]
        return Vectors(self.vision, {**self.language, name: moved}, self.groups)


def read(
    sides: tuple[Space, Space],
    rows: Matched,
    members: Sequence[Alteration],
    device: str,
    cell: tuple[int, int] | None = None,
) -> Vectors:
    """Read the originals and the alterations of some rows: all layers, or those of a cell."""
    vision, language = sides
    v, t = ([cell[0]], [cell[1]]) if cell else (None, None)

    def every(
        space: Space, ids: list[list[str]], layers: list[int] | None, variants: Collection[str]
    ) -> dict[str, list[Tensor]]:
        return {
            variant: [
                torch.from_numpy(x).to(device) for x in mean_rows(space, ids, layers, variant)
            ]
            for variant in dict.fromkeys([ORIGINAL, *variants])
        }

    return Vectors(
        every(vision, [[one] for one in rows.image_ids], v, [one.vision for one in members]),
        every(language, rows.caption_ids, t, [one.language for one in members]),
        rows.groups,
    )
