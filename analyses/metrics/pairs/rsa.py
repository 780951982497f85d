"""Representational similarity analysis: the correlation of two layers' dissimilarities over all pairs of items.

From Kriegeskorte, Mur and Bandettini, Front. Syst. Neurosci. 2, 2008. Under a permutation of the items the ranks are
permuted with their pairs, not computed again (Mantel, Cancer Res. 27, 1967).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from analyses.metrics.pairs.gram import centred, gram, unit
from analyses.metrics.pairs.ranks import average_ranks

if TYPE_CHECKING:
    from torch import Tensor

TIE_TOLERANCE = 1e-12
"""Dissimilarities closer than this times the largest are a tie: what rounding makes of equal ones."""


def dissimilarities(layer: Tensor, distance: str) -> Tensor:
    """Return the RDM of a layer.

    A vector without a direction, one that is zero (``cosine``) or does not vary over units (``correlation``), is at
    distance 1 from every other.

    Parameters
    ----------
    layer : (n, width) floating tensor
    distance : {"correlation", "cosine", "euclidean"}
        Euclidean distances are squared, over the square of a number that depends on the layer alone.

    Returns
    -------
    (n, n) float64 tensor
    """
    if distance == "euclidean":
        G = gram(centred(layer))
        squares = G.diagonal().clone()
        return G.mul_(-2).add_(squares).add_(squares[:, None]).clamp_min_(0)
    if distance == "correlation":
        layer = centred(layer.detach().T).T
    return gram(unit(layer)).neg_().add_(1)


def rdm_vector(values: Tensor, compare: str, *, squared: bool) -> Tensor:
    """Return dissimilarities over pairs, or their ranks, centred and of length 1.

    Parameters
    ----------
    values : (P,) float64 tensor
    compare : {"spearman", "pearson"}
    squared : bool
        Whether ``values`` are squares of the dissimilarities.

    Returns
    -------
    (P,) float64 tensor
        NaN where all dissimilarities are the same.
    """
    size = float(values.abs().max()) if len(values) else 0.0
    tolerance = TIE_TOLERANCE * size
    if not len(values) or float(values.max() - values.min()) <= tolerance:
        return torch.full_like(values, torch.nan)
    if compare == "spearman":
        values = average_ranks(values, tolerance)
    elif squared:
        values = values.sqrt()
    values = values - values.mean()
    return values.div_(torch.linalg.vector_norm(values))
