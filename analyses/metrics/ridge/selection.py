"""The choice of alpha for dual ridge regression: for every target layer at once, one matrix product.

Each rule is quadratic in the residuals G Y of the training rows, so its sum over target units is <W, Y Y'> with
W = M M', where W knows the source alone:

- ``loo``: the exact leave-one-out residual of row i is (G Y)_i / G_ii (e.g. Hastie, Tibshirani and Friedman, "The
  Elements of Statistical Learning", eq. 5.26), so M = G diag(1 / G_ii).
- ``inner``: leaving out the rows B of an inner fold leaves the residuals inverse(G_BB) (G Y)_B, the same identity for
  blocks, exact for a source scaled once over the training rows. M = G blockdiag(inverse(G_BB)).
- ``gcv``: n |G Y|^2 / trace(G)^2 (Golub, Heath and Wahba, Technometrics 21, 1979), so M = G / trace(G).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from analyses.metrics.ridge.packed import outer_packed, pack, size
from analyses.metrics.ridge.ruled_out import bounds, contenders, first_to_weigh
from analyses.metrics.ridge.source import SourceFold, outer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Rule = Literal["loo", "gcv", "inner"]

SCREEN_TOLERANCE = 2e-6
"""What a criterion is known to in single precision, relative to |W| |YY'|; closer calls are made in double.

The largest error measured was 1.4e-6, over full-rank, low-rank, heavy-tailed and badly scaled sources with 800
training rows and alphas from 1e-8 to 1e8. A larger value only costs time.
"""


def residual_weights(
    source: SourceFold,
    alphas: Sequence[float],
    dtype: torch.dtype,
    rule: Rule = "loo",
    inner: Sequence[Tensor] = (),
) -> Tensor:
    """Return W for each alpha, packed: (len(alphas), size(n)) in ``dtype``; see :mod:`analyses.metrics.ridge.packed`.

    W annihilates the vector of ones, so targets need not be centred. ``inner`` are the training rows, counted from
    0, of each inner fold.
    """
    U = source.eigenvectors if dtype == torch.float64 else source.eigenvectors_single
    n = U.shape[0]
    shrinkage, leverage = _shrinkage(source, alphas)
    weights = torch.empty((len(alphas), size(n)), dtype=dtype, device=U.device)
    for kept, diagonal, out in zip(shrinkage, leverage, weights, strict=True):
        if rule == "gcv":
            M = U * (kept * (n**0.5 / float(diagonal.sum()))).to(dtype)
        elif rule == "inner":
            M = _inner_residuals(residual_maker(source, kept, torch.float64), inner).to(dtype)
        else:
            inverse = 1.0 / diagonal.clamp_min(torch.finfo(torch.float64).tiny)
            M = residual_maker(source, kept, dtype).mul_(inverse.to(dtype))
        outer_packed(M, out)
    return weights


def _shrinkage(source: SourceFold, alphas: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return the factors and the diagonal of G for each alpha, both (A, n) float64."""
    s = source.eigenvalues
    grid = torch.as_tensor(list(alphas), dtype=torch.float64, device=s.device)[:, None]
    shrinkage = grid / (s + grid)
    # No rule sees a common factor of G; without it a tiny alpha would underflow.
    shrinkage = shrinkage / shrinkage.amax(dim=1, keepdim=True)
    return shrinkage, shrinkage @ (source.eigenvectors**2).T


def _bounds(source: SourceFold, alphas: Sequence[float], rule: Rule) -> Tensor:
    """Return what each alpha's criterion is at least, in parts of each other's."""
    if rule == "inner":  # Its residuals are weighted by blocks, not by rows.
        return torch.zeros(len(alphas), len(alphas), dtype=torch.float64)
    shrinkage, leverage = _shrinkage(source, alphas)
    if rule == "gcv":
        leverage = leverage.mean(dim=1, keepdim=True).expand_as(leverage)
    inverse = 1.0 / leverage.clamp_min(torch.finfo(torch.float64).tiny)
    return bounds(shrinkage, inverse**2, source.eigenvectors).cpu()


def residual_maker(source: SourceFold, kept: Tensor, dtype: torch.dtype) -> Tensor:
    """Return G = U diag(kept) U', (n, n)."""
    U = source.eigenvectors if dtype == torch.float64 else source.eigenvectors_single
    if float(kept.mean()) < 0.5:  # noqa: PLR2004 - half
        return outer(U * kept.sqrt().to(dtype))
    # Nearly the identity less the mean: exact is better than summed from n rounded columns.
    residual = outer(U * (1.0 - kept).sqrt().to(dtype)).add_(1.0 / len(U)).neg_()
    residual.diagonal().add_(1.0)
    return residual


def _inner_residuals(G: Tensor, inner: Sequence[Tensor]) -> Tensor:
    M = torch.empty_like(G)
    for rows in inner:
        block = G.index_select(0, rows)
        M[:, rows] = torch.linalg.solve(block.index_select(1, rows), block).T
    return M


@dataclass(frozen=True, slots=True)
class TargetGrams:
    """Gram matrices of the target layers over the training rows of one fold.

    Attributes
    ----------
    single : (T, size(n)) float32 tensor
        Centred over the training rows, scaled to norm 1, packed and doubled.
    full : sequence of T (rows, rows) float64 tensors
        Over all rows.
    train : (n,) int64 tensor
        The training rows.
    double : dict of size(n) float64 tensors
        What :meth:`exact` made so far.
    """

    single: Tensor
    full: Sequence[Tensor]
    train: Tensor
    double: dict[int, Tensor] = field(default_factory=dict)

    def exact(self, target: int) -> Tensor:
        """Return a target's in float64, neither centred nor scaled, packed and doubled; made once for all sources."""
        if target not in self.double:
            self.double[target] = pack(_block(self.full[target], self.train), doubled=True)
        return self.double[target]

    @classmethod
    def of(cls, full: Sequence[Tensor], train: Tensor) -> TargetGrams:
        """Cut the training rows out of the Gram matrices over all rows."""
        single = torch.empty(
            (len(full), size(len(train))), dtype=torch.float32, device=train.device
        )
        for i, gram in enumerate(full):
            # Scaled before the cast: squares of loud units' products leave float32's range.
            largest = gram.diagonal().amax()
            block = _block((gram / torch.where(largest > 0, largest, 1.0)).to(torch.float32), train)
            # W annihilates constants but for rounding, which would add up over a mean left in.
            mean = block.mean(dim=0)
            block = block.sub_(mean).sub_(mean[:, None]).add_(mean.mean())
            norm = torch.linalg.vector_norm(block)
            single[i] = pack(block / torch.where(norm > 0, norm, 1.0), doubled=True)
        return cls(single, full, train)

    def of_targets(self, chosen: Sequence[int]) -> TargetGrams:
        """Return those of some targets."""
        if list(chosen) == list(range(len(self.full))):
            return self
        return TargetGrams(self.single[list(chosen)], [self.full[i] for i in chosen], self.train)


@dataclass(slots=True)
class Weighed:
    """A source with its criterion at the alphas needed so far: whatever the targets' rows are, each is made once.

    Attributes
    ----------
    source : SourceFold
    alphas : tuple of float
    rule : {"loo", "gcv", "inner"}
    inner : tuple of int64 tensors
    bound : (A, A) float64 tensor on the CPU
        See :func:`~analyses.metrics.ridge.ruled_out.bounds`.
    parts : list of (alphas by place, (a, size(n)) float32 weights, (a,) float64 noise)
        Noise is what a criterion is known to, for targets of norm 1.
    double : dict of size(n) float64 weights, by the place of their alpha
    """

    source: SourceFold
    alphas: tuple[float, ...]
    rule: Rule
    inner: tuple[Tensor, ...]
    bound: Tensor
    parts: list[tuple[list[int], Tensor, Tensor]]
    double: dict[int, Tensor]

    @classmethod
    def of(
        cls,
        source: SourceFold,
        alphas: Sequence[float],
        rule: Rule = "loo",
        inner: Sequence[Tensor] = (),
    ) -> Weighed:
        """Weigh a source; ``inner`` as in :func:`residual_weights`."""
        bound = _bounds(source, alphas, rule)
        weighed = cls(source, tuple(alphas), rule, tuple(inner), bound, [], {})
        order = sorted(range(len(alphas)), key=lambda at: alphas[at])
        weighed._weigh(first_to_weigh(bound, order))
        return weighed

    def _weigh(self, at: list[int]) -> None:
        alphas = [self.alphas[i] for i in at]
        weights = residual_weights(self.source, alphas, torch.float32, self.rule, self.inner)
        # Twice the packed half bounds the whole from above.
        norms = torch.stack([2 * torch.dot(row, row) for row in weights]).sqrt()
        self.parts.append((at, weights, SCREEN_TOLERANCE * norms.to(torch.float64)))

    def choose(self, targets: TargetGrams) -> Tensor:
        """Choose each target's alpha: screened in single, decided in double precision.

        Alphas that cannot be the best of any target are never weighed; see :mod:`analyses.metrics.ridge.ruled_out`.

        Returns
        -------
        (T,) int64 tensor on the CPU
            Indices into ``alphas``; the first one of equals.
        """
        shape = (len(targets.single), len(self.alphas))
        criterion = torch.full(shape, torch.inf, dtype=torch.float64, device=targets.single.device)
        noise = torch.zeros(shape[1], dtype=torch.float64, device=criterion.device)
        done = 0
        while True:
            for at, weights, known_to in self.parts[done:]:
                # This order of the product keeps the long reduction contiguous on both sides.
                criterion[:, at] = (targets.single @ weights.T).to(torch.float64)
                noise[at] = known_to
            done = len(self.parts)
            known = sorted(i for at, _, _ in self.parts for i in at)
            low, high = ((criterion + sign * noise)[:, known].cpu() for sign in (-1, 1))
            wanted = contenders(self.bound, known, low, high)
            if not wanted:
                break
            self._weigh(wanted)
        best = criterion.argmin(dim=1)
        near = criterion - noise <= (criterion + noise).gather(1, best[:, None])
        close = near.sum(dim=1) > 1
        if bool(close.any()):
            self._decide(targets, near, close, best)
        return best.cpu()

    def _decide(self, targets: TargetGrams, near: Tensor, close: Tensor, best: Tensor) -> None:
        """Settle the close calls in place, with the contending alphas alone."""
        may, found = near.tolist(), best.tolist()
        for target in close.nonzero().reshape(-1).tolist():
            at = [i for i, one in enumerate(may[target]) if one]
            for i in set(at) - set(self.double):
                self.double[i] = residual_weights(
                    self.source, [self.alphas[i]], torch.float64, self.rule, self.inner
                )[0]
            gram = targets.exact(target)
            criteria = [float(self.double[i] @ gram) for i in at]
            found[target] = at[criteria.index(min(criteria))]
        best.copy_(torch.tensor(found))


def select(
    source: SourceFold,
    alphas: Sequence[float],
    targets: TargetGrams,
    rule: Rule = "loo",
    inner: Sequence[Tensor] = (),
) -> Tensor:
    """Choose each target's alpha; see :meth:`Weighed.choose`."""
    return Weighed.of(source, alphas, rule, inner).choose(targets)


def _block(gram: Tensor, rows: Tensor) -> Tensor:
    return gram.index_select(0, rows).index_select(1, rows)
