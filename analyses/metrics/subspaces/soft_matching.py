"""Soft matching, held out: which units of one layer do what units of another do, by optimal transport.

Every unit is its centred response profile of length 1 over the rows. Uniform mass is moved from the units of one layer
to those of the other so that the correlation of what is matched is greatest over the training rows; the score is the
mean correlation of what was matched over the held-out rows. Between layers of one width the best transport is a
permutation (Birkhoff), found by assignment; between others the exact linear program is solved by POT.

A transport between layers of a thousand units takes tens of milliseconds to seconds, and every pair of layers needs one
in every fold. So the units of a wide layer are sampled: the score is then an estimate of that of all units, and a low
one, since a unit's best match may not be in the sample.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from analyses.metrics.inputs import check_layers
from analyses.metrics.metric import Metric
from analyses.metrics.subspaces.held_out import held_out_map
from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import Direction, MetricMap

    Progress = Callable[[int, int], None]

UNITS: Final = 256

_NO_POT: Final = (
    "soft-matching of layers with unequally many units needs POT; install it with: "
    "pip install 'vdb[soft-matching]'"
)
_ITERATIONS: Final = 10_000_000  # of the network simplex, which ends by itself long before


@dataclass(frozen=True, slots=True)
class Profiles:
    """One layer in one fold: centred units of length 1, (n_train, units) and (n_test, units) float64.

    A unit that does not vary over the training rows is 0 in both: it takes its share of the mass and earns nothing.
    One that does not over the held-out rows is 0 there.
    """

    train: Tensor
    test: Tensor


@dataclass(frozen=True, slots=True)
class SoftMatching:
    """The method; ``units`` are the most that are taken of a layer, 0 all, drawn by ``seed``."""

    units: int = UNITS
    seed: int = 0
    rows_a_fold: int = 2

    def reduce(self, layer: Tensor) -> Tensor:
        """Take the units that vary at all, of those drawn."""
        return layer.detach()[:, self.chosen(layer)].to(torch.float64)

    def chosen(self, layer: Tensor) -> Tensor:
        """Draw units, the same of every layer of one width, as blocks of one model write into the same units.

        Those that are the same for every item are left out: (units,) int64.
        """
        width = layer.shape[1]
        drawn = np.arange(width)
        if 0 < self.units < width:
            rng = np.random.default_rng([self.seed, width])
            drawn = np.sort(rng.choice(width, self.units, replace=False))
        low, high = layer.detach().aminmax(dim=0)
        units = torch.from_numpy(drawn).to(layer.device)
        return units[(low != high)[units]]

    def stage(self, reduced: Tensor, train: Tensor) -> Tensor:  # noqa: ARG002 - the protocol's
        """Leave the layer as it is: profiles depend on the rows alone."""
        return reduced

    def prepare(self, staged: Tensor, train: Tensor, test: Tensor) -> Profiles | None:
        """Centre the units and scale them to length 1, over training and held-out rows apart."""
        inner, outer = staged[train], staged[test]
        varies = inner.amax(dim=0) != inner.amin(dim=0)
        if not bool((varies & (outer.amax(dim=0) != outer.amin(dim=0))).any()):
            return None
        return Profiles(_unit_profiles(inner), _unit_profiles(outer) * varies)

    def score(self, one: Profiles, others: Sequence[Profiles]) -> Tensor:
        """Match on the training rows, correlate on the held-out rows: a transport a pair."""
        scores = []
        for other in others:
            plan = transport((one.train.T @ other.train).cpu().numpy())
            held = one.test.T @ other.test
            scores.append((torch.from_numpy(plan).to(held.device) * held).sum())
        return torch.stack(scores).clamp(-1, 1)


def _unit_profiles(units: Tensor) -> Tensor:
    varies = units.amax(dim=0) != units.amin(dim=0)
    centred = (units - units.mean(dim=0)) * varies
    # By the largest value first: squares of very small ones would be zero.
    centred = centred / torch.where(varies, centred.abs().amax(dim=0), 1.0)
    return torch.nn.functional.normalize(centred, dim=0)


def transport(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the transport of uniform mass with the greatest similarity.

    Parameters
    ----------
    similarity : (a, b) array

    Returns
    -------
    (a, b) array
        Not negative; rows sum to 1 / a and columns to 1 / b.

    Raises
    ------
    InputError
        a and b differ, and POT is not installed.
    """
    a, b = similarity.shape
    if a == b:
        plan = np.zeros((a, b))
        plan[linear_sum_assignment(similarity, maximize=True)] = 1 / a
        return plan
    return linear_program(similarity)


def linear_program(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the transport of :func:`transport` by POT, whatever the widths."""
    a, b = similarity.shape
    mass = np.full(a, 1 / a), np.full(b, 1 / b)
    plan: NDArray[np.float64] = _pot().emd(*mass, 1 - similarity, numItermax=_ITERATIONS)
    return plan


def _pot() -> Any:  # noqa: ANN401 - a module
    try:
        with warnings.catch_warnings():
            # Of its own docstrings, when Python compiles them; and of backends that are not there.
            warnings.simplefilter("ignore")
            return import_module("ot")
    except ImportError as error:
        raise InputError(_NO_POT) from error


def soft_matching_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    units: int = UNITS,
) -> dict[str, MetricMap]:
    """Compute the map: the held-out mean correlation of matched units, mean over folds; see the module."""
    check_layers(vision, language)
    layers, method = [*vision, *language], SoftMatching(units, seed)
    if len({len(method.chosen(layer)) for layer in layers} - {0}) > 1:
        _pot()  # before any work
    constant = sum(int((layer.amax(dim=0) == layer.amin(dim=0)).sum()) for layer in layers)
    sampled = sum(0 < units < layer.shape[1] for layer in layers)
    return held_out_map(
        method,
        vision,
        language,
        groups=groups,
        folds=folds,
        seed=seed,
        directions=directions,
        permutations=permutations,
        progress=progress,
        facts={
            "dropped units that never vary, summed over layers": constant,
            "layers of which units were sampled": sampled,
        },
    )


SOFT_MATCHING = Metric(
    name="soft-matching",
    title="Soft matching (held-out r)",
    range=(-1.0, 1.0),
    invariances=(
        "permutation of units (where none are sampled)",
        "shift and positive scale of each unit",
    ),
    source="Khosla and Williams, UniReps 2023 (PMLR 243, 2024), arXiv 2311.09466",
    directional=False,
    bias="About 0 on independent data: the matching is held out.",
    correction="none needed; a permutation null bounds the best of many cells, at the cost of a map each",
    compute=soft_matching_maps,
    parameters={"units": Parameter(UNITS, "most units taken of a layer, 0 for all", low=0)},
    rows_a_fold=2,
    permutations=0,
)
