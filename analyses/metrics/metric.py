"""What the registry of metrics holds: a metric's facts, and its maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Direction = Literal["vision->language", "language->vision", "symmetric"]


@dataclass(frozen=True, slots=True)
class MetricMap:
    """The layer x layer map of one direction.

    Attributes
    ----------
    scores : (V, L) float64 array
        Indexed [vision layer, language layer] in every direction.
    fold_scores, alphas : (V, L, folds) float64 array or None
        None where there are no folds; alphas are None for a metric that is not fitted.
    on_edge : (V, L, folds) bool array or None
        Where alpha is an end of its grid.
    chance : float or None
        The score of unrelated layers, where it is known without a permutation.
    facts : mapping of str to int
        Whatever else a reader must know, e.g. how many units were dropped.
    """

    scores: NDArray[np.float64]
    fold_scores: NDArray[np.float64] | None = None
    alphas: NDArray[np.float64] | None = None
    on_edge: NDArray[np.bool_] | None = None
    chance: float | None = None
    facts: Mapping[str, int] = field(default_factory=dict)


class Compute(Protocol):
    """Every metric's function: all layers of two spaces in, a map for each direction out.

    ``vision`` and ``language`` hold (n, width) tensors on one device, row i of each being item i; ``groups`` has
    the group of each row, or is None where every row is its own. A metric takes its own options by name on top,
    and passes over ``folds`` and ``seed`` if it fits nothing.
    """

    def __call__(
        self,
        vision: Sequence[Tensor],
        language: Sequence[Tensor],
        *,
        groups: Sequence[str] | None = None,
        folds: int = 5,
        seed: int = 0,
        directions: Sequence[Direction] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, MetricMap]:
        """Compute the maps of the directions asked for, or of all that the metric has."""
        ...


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        Its key in the registry and on the command line.
    title : str
        Its name in prose and on axes.
    range : (float, float)
        Smallest and largest score there can be.
    invariances : tuple of str
        Changes of the vectors that leave every score as it is.
    source : str
        The paper it is from.
    directional : bool
        Whether fitting vision to language differs from fitting language to vision.
    bias : str
        What it gives on independent data, and what corrects it.
    compute : Compute
    rows_a_fold : int
        Rows that a fold needs: two where a correlation is taken over them.
    """

    name: str
    title: str
    range: tuple[float, float]
    invariances: tuple[str, ...]
    source: str
    directional: bool
    bias: str
    compute: Compute
    rows_a_fold: int = 1
