"""The demo's two models as encoders: ``demo:vision`` and ``demo:language``."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ingest.demo.shipped import Shipped, weights_directory
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from ingest.encoders.base import Encoder, EncoderOptions, Loader, Target

_LOADERS = {
    "vision": "ingest.encoders.timm_encoder",
    "language": "ingest.encoders.transformers_encoder",
}


def load(target: Target, options: EncoderOptions) -> Encoder:
    """Load one of the shipped models; ``options.random_init`` makes its untrained twin.

    Raises
    ------
    NotFoundError
        It is neither ``demo:vision`` nor ``demo:language``.
    """
    model = target.location
    if model not in _LOADERS:
        raise NotFoundError.named("demo model", model, _LOADERS)
    import_module("ingest.demo.vision")  # registers the architecture with timm
    shipped = replace(
        target,
        model=f"demo-{model}",
        location="",
        directory=weights_directory(cast("Shipped", model)),
    )
    loader = cast("Loader", import_module(_LOADERS[model]).load)
    return loader(shipped, options)
