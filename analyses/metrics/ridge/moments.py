"""Second moments of two spaces' layers, fold by fold: all that ridge regression and its held-out r need of the rows.

The rows come a block at a time, in any order and from any shard; what is kept is O(width^2), however many there are.
Everything is in float64 and about a shift near the mean, so that large means do not cancel, and whether a unit is
constant is known exactly, from its smallest and largest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layer:
    """The moments of one layer of width D, views of its :class:`Side`; all but the extremes are about the shift.

    Attributes
    ----------
    sums, squares, low, high : (folds, D) float64 tensor
    products : (folds, D, D) float64 tensor or None
        None where nothing is predicted from this side.
    """

    sums: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor
    products: Tensor | None

    def varying(self, folds: Sequence[int]) -> Tensor:
        """Return (D,) bool: which units are not the same in every row of ``folds``. Exact, as no variance is."""
        chosen = list(folds)
        return self.low[chosen].amin(dim=0) != self.high[chosen].amax(dim=0)


@dataclass(frozen=True, slots=True)
class Side:
    """The moments of all layers of one side, side by side: W is the sum of their widths.

    Attributes
    ----------
    widths : tuple of int
    shift : (W,) float64 tensor
        What is taken off every row first.
    sums, squares : (folds, W) float64 tensor
        Of the shifted units.
    low, high : (folds, W) float64 tensor
        Smallest and largest value of each unit, not shifted; inf and -inf in a fold without rows.
    products : tuple of (folds, D, D) float64 tensors
        X'X of each layer, shifted; none where nothing is predicted from this side.
    """

    widths: tuple[int, ...]
    shift: Tensor
    sums: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor
    products: tuple[Tensor, ...]

    @classmethod
    def about(cls, layers: Sequence[Tensor], folds: int, *, products: bool) -> Side:
        """Begin with no rows, about the mean of those given."""
        shift = torch.cat([layer.detach().to(torch.float64).mean(dim=0) for layer in layers])
        widths = tuple(int(layer.shape[1]) for layer in layers)
        zeros = shift.new_zeros((folds, len(shift)))
        return cls(
            widths,
            shift,
            zeros,
            zeros.clone(),
            torch.full_like(zeros, torch.inf),
            torch.full_like(zeros, -torch.inf),
            tuple(shift.new_zeros((folds, D, D)) for D in widths) if products else (),
        )

    @property
    def slices(self) -> list[slice]:
        """Where each layer stands."""
        ends = torch.tensor(self.widths).cumsum(0).tolist()
        return [slice(end - D, end) for end, D in zip(ends, self.widths, strict=True)]

    def layer(self, index: int) -> Layer:
        """Return views of one layer's moments."""
        at = self.slices[index]
        products = self.products[index] if self.products else None
        sums, squares, low, high = (
            moment[:, at] for moment in (self.sums, self.squares, self.low, self.high)
        )
        return Layer(sums, squares, low, high, products)

    def block(self, layers: Sequence[Tensor], order: Tensor) -> Tensor:
        """Lay a block's rows side by side in the order given: (rows, W) float64, not shifted yet."""
        if tuple(layer.shape[1] for layer in layers) != self.widths:
            raise InputError(
                f"a block of widths {[layer.shape[1] for layer in layers]} cannot be added to moments of "
                f"widths {list(self.widths)}"
            )
        rows = self.shift.new_empty((len(order), len(self.shift)))
        for layer, at in zip(layers, self.slices, strict=True):
            rows[:, at] = layer.detach().index_select(0, order)
        return rows

    def add(self, fold: int, rows: Tensor) -> None:
        """Add one fold's rows, which are shifted in place."""
        torch.minimum(self.low[fold], rows.amin(dim=0), out=self.low[fold])
        torch.maximum(self.high[fold], rows.amax(dim=0), out=self.high[fold])
        rows -= self.shift
        self.sums[fold] += rows.sum(dim=0)
        if not self.products:
            self.squares[fold] += torch.linalg.vector_norm(rows, dim=0).square_()
            return
        for products, at in zip(self.products, self.slices, strict=True):
            inner = gram(rows[:, at])
            products[fold] += inner
            self.squares[fold, at] += inner.diagonal()

    def moved(self, shift: Tensor, counts: Tensor) -> Side:
        """Return the same moments about another shift."""
        step = self.shift - shift
        n = counts.to(step)[:, None]
        squares = self.squares + step * (2 * self.sums + n * step)
        sums = self.sums + n * step
        products = tuple(
            rebased(P, self.sums[:, at], self.sums[:, at], counts, step[at], step[at])
            for P, at in zip(self.products, self.slices, strict=False)  # none, or one a layer
        )
        return Side(self.widths, shift, sums, squares, self.low, self.high, products)

    def __add__(self, other: Side) -> Side:
        """Add moments about the same shift."""
        return Side(
            self.widths,
            self.shift,
            self.sums + other.sums,
            self.squares + other.squares,
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
            tuple(a + b for a, b in zip(self.products, other.products, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of both sides and between them. They add up: shards can be accumulated apart, in any order.

    Attributes
    ----------
    counts : (folds,) int64 tensor
        Rows.
    vision, language : Side
    cross : (folds, vision W, language W) float64 tensor
        X'Y of every pair of layers, shifted. One serves both directions.
    """

    counts: Tensor
    vision: Side
    language: Side
    cross: Tensor

    @classmethod
    def about(
        cls,
        vision: Sequence[Tensor],
        language: Sequence[Tensor],
        folds: int,
        *,
        sources: Sequence[str] = ("vision", "language"),
    ) -> Moments:
        """Begin with no rows.

        Parameters
        ----------
        vision, language : sequences of (rows, width) floating tensors
            Some rows, as many as give an idea of the means: those that come first will do. They are not added.
        folds : int
        sources : sequence of {"vision", "language"}
            Sides from which something will be predicted; the other's X'X is not needed.
        """
        images = Side.about(vision, folds, products="vision" in sources)
        texts = Side.about(language, folds, products="language" in sources)
        cross = images.shift.new_zeros((folds, len(images.shift), len(texts.shift)))
        counts = torch.zeros(folds, dtype=torch.int64, device=cross.device)
        return cls(counts, images, texts, cross)

    def add(self, vision: Sequence[Tensor], language: Sequence[Tensor], folds: Tensor) -> None:
        """Add a block of rows, in place.

        Parameters
        ----------
        vision, language : sequences of (rows, width) floating tensors
            Row i of every layer belongs to item i; all finite.
        folds : (rows,) int64 tensor
            The fold of each row.
        """
        # One fold's rows together: they are then a slice, and a product each.
        order = torch.argsort(folds, stable=True)
        X, Y = self.vision.block(vision, order), self.language.block(language, order)
        present = torch.bincount(folds, minlength=len(self.counts))
        if len(present) > len(self.counts):
            raise InputError(f"fold {len(present) - 1} of a block: there are {len(self.counts)}")
        end = 0
        for fold, count in enumerate(present.tolist()):
            rows, end = slice(end, end + count), end + count
            if count:
                self.vision.add(fold, X[rows])
                self.language.add(fold, Y[rows])
                self.cross[fold].addmm_(X[rows].T, Y[rows])
        self.counts.add_(present)

    def __add__(self, other: Moments) -> Moments:
        """Add the moments of other rows, whatever shift they are about."""
        vision = other.vision.moved(self.vision.shift, other.counts)
        language = other.language.moved(self.language.shift, other.counts)
        cross = rebased(
            other.cross,
            other.vision.sums,
            other.language.sums,
            other.counts,
            other.vision.shift - self.vision.shift,
            other.language.shift - self.language.shift,
        )
        return Moments(
            self.counts + other.counts,
            self.vision + vision,
            self.language + language,
            cross.add_(self.cross),
        )


def rebased(
    products: Tensor, left: Tensor, right: Tensor, counts: Tensor, step: Tensor, other: Tensor
) -> Tensor:
    """Move products: the sum of (x + step)(y + other)' from that of x y', those of x and y, and the number of rows.

    Parameters
    ----------
    products : (..., D, T) tensor
    left, right : (..., D), (..., T) tensor
        Sums of x and of y.
    counts : (...) tensor
    step, other : (D,), (T,) tensor
    """
    n = counts.to(step)[..., None]
    return products + step[:, None] * (right + n * other)[..., None, :] + left[..., None] * other


def gram(rows: Tensor) -> Tensor:
    """Return X'X. On the CPU NumPy sees the symmetry and computes one half of it (BLAS syrk)."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    array = rows.numpy()
    return torch.from_numpy(array.T @ array)
