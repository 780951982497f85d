"""What the registry of metrics holds: a metric's facts, its settings, and its maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vdb.errors import InputError
from vdb.settings import write_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vdb.settings import Parameter, Setting

Direction = Literal["vision->language", "language->vision", "symmetric"]

BOTH: tuple[Direction, ...] = ("vision->language", "language->vision")
SYMMETRIC: tuple[Direction, ...] = ("symmetric",)


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
    null : (K, V, L) float64 array or None
        The map under each permutation that was asked for; NaN where the map has no score.
    facts : mapping of str to int or str
        Whatever else a reader must know, e.g. how many units were dropped.
    """

    scores: NDArray[np.float64]
    fold_scores: NDArray[np.float64] | None = None
    alphas: NDArray[np.float64] | None = None
    on_edge: NDArray[np.bool_] | None = None
    chance: float | None = None
    null: NDArray[np.float64] | None = None
    facts: Mapping[str, int | str] = field(default_factory=dict)


class Compute(Protocol):
    """Every metric's function: all layers of two spaces in, a map for each direction out.

    ``vision`` and ``language`` hold (n, width) tensors on one device, row i of each being item i; ``groups`` has
    the group of each row, or is None where every row is its own. ``permutations`` are (K, n) rows of the language
    side, the same for every pair of layers: row i of the vision side is compared with row ``permutations[k, i]`` of
    the language side, and what was prepared of the layers is not prepared again. A metric takes its own settings by
    name on top, and passes over ``folds`` and ``seed`` if it fits nothing.
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
        permutations: NDArray[np.int64] | None = None,
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
        What it gives on independent data.
    correction : str
        What corrects it.
    compute : Compute
    parameters : mapping of str to Parameter
        Its settings: those of ``NAME:SETTING=VALUE``.
    rows_a_fold : int
        Rows that a fold needs: two where a correlation is taken over them.
    permutations : int
        Of the null by default: 200 where a permutation costs little beside the map, 0 where it costs as much.
    """

    name: str
    title: str
    range: tuple[float, float]
    invariances: tuple[str, ...]
    source: str
    directional: bool
    bias: str
    correction: str
    compute: Compute
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    rows_a_fold: int = 1
    permutations: int = 200

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions there are."""
        return BOTH if self.directional else SYMMETRIC


@dataclass(frozen=True, slots=True)
class ChosenMetric:
    """A metric with its settings, all of them, in the order of the metric's parameters."""

    metric: Metric
    settings: Mapping[str, Setting]

    @property
    def name(self) -> str:
        """What the column ``metric`` holds: the name, and each setting that is not the default."""
        return write_name(self.metric.name, self.settings, self.metric.parameters)

    @property
    def title(self) -> str:
        """What stands on an axis: the metric's title, and what was chosen otherwise than by default."""
        chosen = self.name.partition(":")[2].replace(":", ", ")
        return f"{self.metric.title} ({chosen})" if chosen else self.metric.title

    def compute(
        self,
        vision: Sequence[Tensor],
        language: Sequence[Tensor],
        **given: Any,  # noqa: ANN401 - as Compute has them
    ) -> dict[str, MetricMap]:
        """Compute the maps; see :class:`Compute`."""
        settings: dict[str, Any] = {**given, **self.settings}
        return self.metric.compute(vision, language, **settings)


def asked(
    directions: Sequence[Direction] | None, known: tuple[Direction, ...]
) -> tuple[Direction, ...]:
    """Return the directions to compute, each once.

    Raises
    ------
    InputError
        If the metric has no such direction.
    """
    for direction in directions or ():
        if direction not in known:
            raise InputError(f"no direction {direction!r} here; there are: {', '.join(known)}")
    return tuple(dict.fromkeys(directions)) if directions else known
