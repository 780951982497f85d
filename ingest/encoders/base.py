"""The encoder protocol: what turns items into vectors, and nothing else.

An encoder is asked twice about each item: :meth:`Encoder.prepare` runs in worker threads (decode, resize,
tokenise), :meth:`Encoder.encode` runs one forward pass over a batch of prepared items on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from vdb.recipe import Recipe, StoredDtype

Pooling = Literal["cls", "mean", "last"]
Dtype = Literal["float32", "bfloat16", "float16"]

LARGEST_SEED = 2**63 - 1
"""The largest seed of ``random_init``; torch would wrap a negative one round to another positive one."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One item, ready for a batch.

    Attributes
    ----------
    data : Any
        What the encoder's own ``encode`` takes: a (3, H, W) tensor, a list of token ids.
    length : int
        Cost of the item within a batch: its number of tokens, or 1 for an image. Batches are bucketed by it.
    truncated : bool
        Whether something of the item did not fit in the model's context.
    """

    data: Any
    length: int = 1
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What a user may ask of an encoder; None means the catalogue's or the library's default.

    Attributes
    ----------
    pooling : {"cls", "mean", "last"}, optional
    device : str
        ``auto`` (CUDA, then MPS, then the CPU) or a torch device.
    dtype : {"float32", "bfloat16", "float16"}
        Precision of the forward pass.
    stored_dtype : {"float16", "float32"}
    random_init : int, optional
        A seed from 0 to 2**63 - 1: the same architecture with weights drawn from it, for the untrained twin.
    revision : str, optional
        Commit, tag or branch of the repository; resolved to a commit in the recipe.
    max_length : int, optional
        Longest text in tokens; longer ones are truncated and counted.
    special_tokens : bool
        Whether tokens that the tokenizer added ([CLS], [SEP], BOS) are part of a text's mean.
    trust_remote_code, allow_pickle : bool
        Opt-ins: run code from the repository; load weights that are not safetensors.

    Raises
    ------
    InputError
        ``random_init`` is no seed.
    """

    pooling: Pooling | None = None
    device: str = "auto"
    dtype: Dtype = "float32"
    stored_dtype: StoredDtype = "float16"
    random_init: int | None = None
    revision: str | None = None
    max_length: int | None = None
    special_tokens: bool = True
    trust_remote_code: bool = False
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        if self.random_init is not None and not 0 <= self.random_init <= LARGEST_SEED:
            raise InputError(
                f"--random-init {self.random_init} is no seed: it must be from 0 to {LARGEST_SEED}"
            )


@dataclass(frozen=True, slots=True)
class Target:
    """A model that was asked for, once its name is resolved.

    Attributes
    ----------
    model : str
        What it is called: a catalogue name, a library id, or a directory's name.
    location : str
        The library's own name for it: a timm model, a repository. Empty for a local directory.
    directory : Path, optional
        Where it lies, when it is local.
    revision : str, optional
        The catalogue's pin.
    pooling : str, optional
        The catalogue's default.
    prompt : str, optional
        What the catalogue puts before each text ("query: "); None leaves it to the model's own settings.
    gated : bool
        Whether the hub asks for an accepted licence.
    """

    model: str
    location: str
    directory: Path | None = None
    revision: str | None = None
    pooling: str | None = None
    prompt: str | None = None
    gated: bool = False


class Encoder(Protocol):
    """A model under one recipe."""

    @property
    def recipe(self) -> Recipe:
        """What decides the numbers; known before the first item."""
        ...

    def prepare(self, item: Any) -> Prepared:  # noqa: ANN401 - a PIL image or a str, by recipe.modality
        """Make one item ready for a batch: an RGB ``PIL.Image.Image`` or a ``str``. Thread-safe."""
        ...

    def encode(self, batch: Sequence[Prepared]) -> NDArray[np.floating]:
        """Run one forward pass.

        Returns
        -------
        (n, sum of the layers' widths) array in ``recipe.stored_dtype``
            Every layer's pooled vector side by side, in the order of ``recipe.layers``, after one copy to the host.
            Values that do not fit become inf: the writer refuses them by name.
        """
        ...


if TYPE_CHECKING:
    Loader = Callable[[Target, EncoderOptions], Encoder]
    """What a library, or an entry point in the group ``vdb.encoders``, offers."""
