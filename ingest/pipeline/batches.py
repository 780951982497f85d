"""From items to batches: prepared in threads, texts bucketed by length, halved when memory runs out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.pipeline.altering import reason_of
from ingest.variants.base import Inapplicable
from vdb.errors import ModelError
from vdb.writer import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ingest.encoders.base import Encoder, Prepared
    from ingest.pipeline.altering import Alter


@dataclass(frozen=True, slots=True)
class Ready:
    """A variant of an item that can go into a batch."""

    row: Row
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Failed:
    """One that cannot, and why; or, where it is ``inapplicable``, that the item cannot have it."""

    row: Row
    reason: str
    inapplicable: bool = False


def preparer(encoder: Encoder, alter: Alter) -> Callable[[Mapping[str, Any]], list[Ready | Failed]]:
    """Make the function that reads, alters and prepares what an item of a plan lacks; safe in threads."""

    def prepare(item: Mapping[str, Any]) -> list[Ready | Failed]:
        return [
            one(Row(item["item_id"], item["concept_id"], variant), make)
            for variant, make in alter(item)
        ]

    def one(row: Row, make: Callable[[], Any]) -> Ready | Failed:
        try:
            return Ready(row, encoder.prepare(make()))
        except Inapplicable as error:
            return Failed(row, reason_of(error), inapplicable=True)
        except Exception as error:  # noqa: BLE001 - one bad item must not end the run; its reason is kept
            return Failed(row, reason_of(error))

    return prepare


def by_length(ready: Iterable[Ready], batch_size: int, window: int) -> Iterator[list[Ready]]:
    """Batch texts of like length, the longest of a window first, so that little is padding.

    A window of some thirty batches has nearly all the saving of a global sort, in bounded memory.

    Parameters
    ----------
    ready : iterable of Ready
    batch_size : int
    window : int
        Items that are sorted together: a multiple of ``batch_size``.
    """
    source = iter(ready)
    while gathered := list(islice(source, window)):
        gathered.sort(key=lambda one: -one.prepared.length)
        yield from in_batches(gathered, batch_size)


def in_batches(ready: Iterable[Ready], batch_size: int) -> Iterator[list[Ready]]:
    """Batch items in their order."""
    source = iter(ready)
    while batch := list(islice(source, batch_size)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a forward pass gave nothing."""

    reason: str
    out_of_memory: bool


class HalvingEncoder:
    """Encodes batches; halves them for good when memory runs out, and finds the item that a batch fails on.

    Parameters
    ----------
    encoder : Encoder
    batch_size : int
        To begin with.
    say : callable
        Told when the size is halved.
    """

    def __init__(self, encoder: Encoder, batch_size: int, say: Callable[[str], None]) -> None:
        self._encoder = encoder
        self._say = say
        self._width = sum(layer.width for layer in encoder.recipe.layers)
        self.batch_size = batch_size

    def encode(
        self, batch: Sequence[Ready]
    ) -> Iterator[tuple[Sequence[Ready], NDArray[np.floating] | str]]:
        """Yield parts of the batch with their vectors, or one item with the reason why it has none.

        Raises
        ------
        ModelError
            The encoder does not behave as its recipe says.
        """
        start, before = 0, self.batch_size
        while start < len(batch):
            part = batch[start : start + self.batch_size]
            result = self._attempt(part)
            if not isinstance(result, _Refused):
                yield part, result
            elif len(part) == 1:
                yield part, result.reason
                if result.out_of_memory:  # this item's fault: the others may go on together
                    self.batch_size = before
            elif result.out_of_memory:
                self.batch_size = len(part) // 2
                continue
            else:
                yield from self._one_by_one(part)
            start += len(part)
        if self.batch_size < before:
            self._say(f"memory ran out: batches of {self.batch_size} from here on")

    def _one_by_one(
        self, part: Sequence[Ready]
    ) -> Iterator[tuple[Sequence[Ready], NDArray[np.floating] | str]]:
        for one in part:
            result = self._attempt([one])
            yield [one], result.reason if isinstance(result, _Refused) else result

    def _attempt(self, part: Sequence[Ready]) -> NDArray[np.floating] | _Refused:
        try:
            block = self._encoder.encode([one.prepared for one in part])
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - one bad item must not end the run; its reason is kept
            refused = _refused(error)
        else:
            return self._checked(block, len(part))
        if refused.out_of_memory:
            _release_memory()  # only here: the error's traceback held the tensors of the failed pass
        return refused

    def _checked(self, block: NDArray[np.floating], rows: int) -> NDArray[np.floating]:
        recipe = self._encoder.recipe
        expected = (rows, self._width)
        if block.shape != expected or block.dtype != np.dtype(recipe.stored_dtype):
            raise ModelError(
                f"{recipe.model}: the encoder returned {block.dtype} of shape {block.shape} for {rows} items; its "
                f"recipe says {recipe.stored_dtype} of shape {expected}"
            )
        return np.ascontiguousarray(block)


def _refused(error: Exception) -> _Refused:
    if _out_of_memory(error):
        return _Refused("out of memory with this item alone in a batch", out_of_memory=True)
    return _Refused(f"the model failed on it: {reason_of(error)}", out_of_memory=False)


def _out_of_memory(error: Exception) -> bool:
    import torch  # noqa: PLC0415 - loaded by the encoder already

    # Only CUDA has a class for it: the CPU, MPS and the libraries below them say it in words.
    said = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in said for words in ("out of memory", "allocate memory", "ALLOC_FAILED"))
    )


def _release_memory() -> None:
    import torch  # noqa: PLC0415 - loaded by the encoder already

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
