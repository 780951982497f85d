"""Language models of transformers: every hidden state, masked mean, last token or class token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ingest.encoders.device import TORCH_DTYPES, resolve_device
from ingest.encoders.hub import fetch
from ingest.encoders.identity import content_revision, versions_of
from ingest.encoders.pooling import TEXT_POOLINGS
from ingest.encoders.pretrained import load_model, load_tokenizer
from ingest.encoders.states import StateReader
from ingest.encoders.taps import Sheet
from ingest.encoders.tokens import TextPreparer, chosen_length, collate, context_length
from vdb.errors import ModelError
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from ingest.encoders.base import EncoderOptions, Prepared, Target

VERSIONS = ("tokenizers", "torch", "transformers")
"""Packages whose version can change a text's vectors."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """What a model's own files say about how its texts are prepared and pooled.

    Attributes
    ----------
    pooling : str, optional
        None lets the catalogue decide, and then ``mean``.
    max_length : int, optional
    prompt : str
    lower_case : bool
    """

    pooling: str | None = None
    max_length: int | None = None
    prompt: str = ""
    lower_case: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A directory that holds a model, and what it is called everywhere."""

    directory: Path
    source: str
    revision: str


class TransformersEncoder:
    """A language model under one recipe; implements :class:`ingest.encoders.base.Encoder`.

    Parameters
    ----------
    reader : StateReader
    preparer : TextPreparer
    recipe : Recipe
    device : torch.device
    pad_id : int
        Any id the model knows: the mask makes it inert.
    special_tokens : bool
        Whether the mean takes in the tokens that the tokenizer added.
    """

    def __init__(
        self,
        reader: StateReader,
        preparer: TextPreparer,
        recipe: Recipe,
        device: torch.device,
        pad_id: int,
        *,
        special_tokens: bool,
    ) -> None:
        self._reader = reader
        self._preparer = preparer
        self._recipe = recipe
        self._device = device
        self._pad_id = pad_id
        # Only a mean can leave tokens out: the class token is a special token, the last one may be.
        self._special_tokens = special_tokens or recipe.pooling != "mean"

    @property
    def recipe(self) -> Recipe:
        """What decides the numbers."""
        return self._recipe

    def prepare(self, item: Any) -> Prepared:  # noqa: ANN401 - the protocol's signature
        """Tokenise one text. Thread-safe.

        Raises
        ------
        InputError
            It is no text, or has no token to pool.
        """
        return self._preparer(item)

    def encode(self, batch: Sequence[Prepared]) -> NDArray[np.floating]:
        """Run one forward pass: see :meth:`ingest.encoders.base.Encoder.encode`."""
        recipe = self._recipe
        if not batch:
            width = sum(layer.width for layer in recipe.layers)
            return np.empty((0, width), dtype=recipe.stored_dtype)
        ids, attention, pooled = collate(
            batch, self._pad_id, self._device, special_tokens=self._special_tokens
        )
        sheet = Sheet(recipe.layers, len(batch), recipe.stored_dtype, self._device)
        pool = TEXT_POOLINGS[recipe.pooling]

        def receive(index: int, state: Tensor) -> None:
            sheet.write(index, pool(state, pooled))

        with torch.inference_mode():
            self._reader.run(ids, attention, receive)
        return sheet.to_host(recipe.model)


def load(target: Target, options: EncoderOptions) -> TransformersEncoder:
    """Load a transformers model by its repository or its local directory.

    Raises
    ------
    ModelError
        The model cannot be had, or has no such pooling.
    """
    return build(target, options, checkpoint(target, options), TextSettings(), "transformers")


def checkpoint(target: Target, options: EncoderOptions) -> Checkpoint:
    """Find a model's directory: the local one, or the repository's in the cache."""
    needs_weights = options.random_init is None
    if target.directory is not None:
        revision = content_revision(target.directory, weights=needs_weights)
        return Checkpoint(target.directory, target.directory.name, revision)
    snapshot = fetch(target, target.location, options, weights=needs_weights)
    return Checkpoint(snapshot.directory, snapshot.repository, snapshot.commit)


def build(
    target: Target,
    options: EncoderOptions,
    found: Checkpoint,
    settings: TextSettings,
    library: str,
    subfolder: str = "",
) -> TransformersEncoder:
    """Build the encoder of a checkpoint.

    Parameters
    ----------
    target : Target
    options : EncoderOptions
    found : Checkpoint
    settings : TextSettings
        What the model's own files say.
    library : str
        For the recipe.
    subfolder : str
        Where in the checkpoint's directory the transformers model lies.
    """
    directory = found.directory / subfolder
    device = resolve_device(options.device)
    tokenizer = load_tokenizer(directory, target.model, options)
    model = load_model(directory, target.model, options)
    model = model.eval().requires_grad_(requires_grad=False).to(device, TORCH_DTYPES[options.dtype])
    reader = StateReader(model, target.model)
    max_length = chosen_length(
        options.max_length, settings.max_length, context_length(model, tokenizer), target.model
    )
    prompt = settings.prompt if target.prompt is None else target.prompt
    pooling = _pooling(target, options, settings, tokenizer)
    recipe = Recipe(
        model=target.model,
        library=library,
        source=found.source,
        revision=found.revision,
        weights="pretrained"
        if options.random_init is None
        else f"random-init:seed={options.random_init}",
        modality="text",
        pooling=pooling,
        dtype=options.dtype,
        stored_dtype=options.stored_dtype,
        layers=tuple(
            Layer(name, width, index / (len(reader.names) - 1))
            for index, (name, width) in enumerate(zip(reader.names, reader.widths, strict=True))
        ),
        preprocessing={
            "attention": str(getattr(model.config, "_attn_implementation", None)),
            "lower_case": settings.lower_case,
            "max_length": max_length,
            "padding": "right, masked",
            "prompt": prompt,
            "special_tokens": "pooled"
            if options.special_tokens or pooling != "mean"
            else "left out",
            "tokenizer": type(tokenizer).__name__,
            "truncation": "end",
        },
        versions=versions_of(VERSIONS),
        parameters=sum(weights.numel() for weights in model.parameters()),
    )
    preparer = TextPreparer(
        tokenizer, max_length, prompt, target.model, lower_case=settings.lower_case
    )
    pad_id = tokenizer.pad_token_id
    return TransformersEncoder(
        reader,
        preparer,
        recipe,
        device,
        0 if pad_id is None else int(pad_id),
        special_tokens=options.special_tokens,
    )


def _pooling(
    target: Target,
    options: EncoderOptions,
    settings: TextSettings,
    tokenizer: Any,  # noqa: ANN401 - untyped library
) -> str:
    pooling = options.pooling or target.pooling or settings.pooling or "mean"
    if pooling not in TEXT_POOLINGS:
        raise ModelError(
            f"{target.model}: no pooling {pooling!r} for texts; use {', '.join(TEXT_POOLINGS)}"
        )
    if pooling == "cls":
        ids: Mapping[str, Any] = tokenizer("a", verbose=False)
        if tokenizer.cls_token_id is None or ids["input_ids"][0] != tokenizer.cls_token_id:
            raise ModelError(
                f"{target.model}: its texts do not begin with a class token; use --pool mean or last"
            )
    return pooling
