"""From items to batches: prepared in threads, texts bucketed by length, halved when memory runs out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ingest.images import decode, read_bytes, verify_content
from vdb.errors import VdbError
from vdb.schema import ORIGINAL
from vdb.writer import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ingest.encoders.base import Encoder, Prepared

T = TypeVar("T")

_WINDOW = 64
"""Batches of texts that are sorted by length together: nearly all the saving of a global sort, in bounded memory."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An item that can go into a batch."""

    row: Row
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Failed:
    """An item that cannot, and why."""

    row: Row
    reason: str


def preparer(encoder: Encoder) -> Callable[[Mapping[str, Any]], Ready | Failed]:
    """Make the function that reads, checks and prepares one item of a plan; safe in threads."""
    load = _load_image if encoder.recipe.modality == "image" else _load_text

    def prepare(item: Mapping[str, Any]) -> Ready | Failed:
        row = Row(item["item_id"], item["concept_id"], ORIGINAL)
        try:
            return Ready(row, encoder.prepare(load(item)))
        except VdbError as error:
            return Failed(row, str(error))
        except Exception as error:  # noqa: BLE001 - one bad item must not end the run; its reason is kept
            return Failed(row, f"{type(error).__name__}: {error}")

    return prepare


def _load_image(item: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a PIL image
    data = read_bytes(item["uri"])
    verify_content(data, item["sha256"])
    return decode(data)


def _load_text(item: Mapping[str, Any]) -> str:
    return str(item["text"])


def by_length(ready: Iterable[Ready], batch_size: int) -> Iterator[list[Ready]]:
    """Batch items of like length, the longest of a window first, so that little is padding.

    Images all have the length 1 and keep their order.
    """
    source = iter(ready)
    while window := list(islice(source, batch_size * _WINDOW)):
        window.sort(key=lambda one: -one.prepared.length)
        for start in range(0, len(window), batch_size):
            yield window[start : start + batch_size]


def in_batches(ready: Iterable[Ready], batch_size: int) -> Iterator[list[Ready]]:
    """Batch items in their order."""
    source = iter(ready)
    while batch := list(islice(source, batch_size)):
        yield batch


class HalvingEncoder:
    """Encodes batches, halving them for good when memory runs out.

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
        self.batch_size = batch_size

    def encode(
        self, batch: Sequence[Ready]
    ) -> Iterator[tuple[Sequence[Ready], NDArray[np.floating] | None]]:
        """Yield parts of the batch with their vectors, or with None where even one item does not fit."""
        start = 0
        while start < len(batch):
            part = batch[start : start + self.batch_size]
            try:
                block = self._encoder.encode([one.prepared for one in part])
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                _release_memory()
                if len(part) > 1:
                    self.batch_size = len(part) // 2
                    self._say(f"memory ran out: batches of {self.batch_size} from here on")
                    continue
                yield part, None
            else:
                yield part, block
            start += len(part)


def _out_of_memory(error: BaseException) -> bool:
    import torch  # noqa: PLC0415 - loaded by the encoder already

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(
        error
    )


def _release_memory() -> None:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
