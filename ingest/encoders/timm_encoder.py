"""Image models of timm: every block's output, class token or mean over patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image

from ingest.encoders.base import Prepared
from ingest.encoders.blocks import Shape, find_blocks, first_tensor, has_class_token, shape_of
from ingest.encoders.device import TORCH_DTYPES, drawn_from, resolve_device
from ingest.encoders.hub import fetch
from ingest.encoders.identity import content_revision, versions_of
from ingest.encoders.pooling import pool_patches
from ingest.encoders.taps import Sheet
from ingest.encoders.weights import read_json, weight_files
from vdb.errors import InputError, ModelError, NotFoundError
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from ingest.encoders.base import EncoderOptions, Target

_VERSIONS = ("timm", "torch", "torchvision", "pillow")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model with its weights, and whose they are."""

    model: nn.Module
    source: str
    revision: str


class TimmEncoder:
    """A timm model under one recipe; implements :class:`ingest.encoders.base.Encoder`.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode, on its device, in its precision.
    blocks : dict of str to nn.Module
        What is read, by module path, in order.
    shapes : sequence of Shape
        One a block.
    transform : callable
        From an RGB image to a (3, height, width) float32 tensor.
    recipe : Recipe
    """

    def __init__(
        self,
        model: nn.Module,
        blocks: dict[str, nn.Module],
        shapes: Sequence[Shape],
        transform: Callable[[Image.Image], Tensor],
        recipe: Recipe,
    ) -> None:
        self._model = model
        self._transform = transform
        self._recipe = recipe
        self._sheet: Sheet | None = None
        first = next(model.parameters())
        self._device, self._dtype = first.device, first.dtype
        for index, (block, shape) in enumerate(zip(blocks.values(), shapes, strict=True)):
            block.register_forward_hook(self._hook(index, shape))

    @property
    def recipe(self) -> Recipe:
        """What decides the numbers."""
        return self._recipe

    def prepare(self, item: Any) -> Prepared:  # noqa: ANN401 - the protocol's signature
        """Resize, crop and normalise one RGB image. Thread-safe.

        Raises
        ------
        InputError
            It is not an RGB ``PIL.Image.Image``.
        """
        if not isinstance(item, Image.Image) or item.mode != "RGB":
            got = f"mode {item.mode}" if isinstance(item, Image.Image) else type(item).__name__
            raise InputError(f"{self._recipe.model}: takes an RGB image, not {got}")
        return Prepared(self._transform(item))

    def encode(self, batch: Sequence[Prepared]) -> NDArray[np.floating]:
        """Run one forward pass: see :meth:`ingest.encoders.base.Encoder.encode`."""
        if not batch:
            width = sum(layer.width for layer in self._recipe.layers)
            return np.empty((0, width), dtype=self._recipe.stored_dtype)
        pixels = torch.stack([item.data for item in batch]).to(self._device, self._dtype)
        sheet = Sheet(self._recipe.layers, len(batch), self._recipe.stored_dtype, self._device)
        self._sheet = sheet
        try:
            with torch.inference_mode():
                _forward(self._model, pixels)
        finally:
            self._sheet = None
        return sheet.to_host(self._recipe.model)

    def _hook(self, index: int, shape: Shape) -> Callable[..., None]:
        pooling = self._recipe.pooling

        def pool(_module: nn.Module, _inputs: object, output: object) -> None:
            if self._sheet is not None:
                x = first_tensor(output)
                self._sheet.write(index, pool_patches(x, pooling, shape.layout, shape.prefix))

        return pool


def load(target: Target, options: EncoderOptions) -> TimmEncoder:
    """Load a timm model by its name, its hub repository or its local directory.

    Raises
    ------
    ModelError
        The model cannot be had, or has no such pooling.
    NotFoundError
        timm knows no such model.
    """
    import timm.data  # noqa: PLC0415 - seconds of imports

    device = resolve_device(options.device)
    opened = _open(target, options)
    model = opened.model.eval().requires_grad_(requires_grad=False)
    model = model.to(device, TORCH_DTYPES[options.dtype])
    config = timm.data.resolve_data_config({}, model=model)
    side = getattr(getattr(model, "patch_embed", None), "img_size", None)
    if (
        side is not None
    ):  # what it was built for, where a registered architecture has no pretrained_cfg
        config["input_size"] = (config["input_size"][0], *side)
    blocks = find_blocks(model, target.model)
    shapes = _probe(model, blocks, config["input_size"])
    recipe = Recipe(
        model=target.model,
        library="timm",
        source=opened.source,
        revision=opened.revision,
        weights="pretrained"
        if options.random_init is None
        else f"random-init:seed={options.random_init}",
        modality="image",
        pooling=_pooling(target, options, model, shapes),
        dtype=options.dtype,
        stored_dtype=options.stored_dtype,
        layers=tuple(
            Layer(path, shape.width, (index + 1) / len(blocks))
            for index, (path, shape) in enumerate(zip(blocks, shapes, strict=True))
        ),
        preprocessing=_recorded(config),
        versions=versions_of(_VERSIONS),
        parameters=sum(weights.numel() for weights in model.parameters()),
    )
    transform = timm.data.create_transform(**config, is_training=False)
    return TimmEncoder(model, blocks, shapes, transform, recipe)


def _forward(model: nn.Module, pixels: Tensor) -> None:
    """Run the trunk; the heads above it are of no interest here."""
    cast("Any", model).forward_features(pixels)


def _open(target: Target, options: EncoderOptions) -> _Opened:
    if target.directory is not None:
        revision = content_revision(target.directory, weights=options.random_init is None)
        model = _from_directory(target.directory, target.model, options)
        return _Opened(model, target.directory.name, revision)
    if "/" in target.location:
        snapshot = fetch(target, target.location, options, weights=options.random_init is None)
        model = _from_directory(snapshot.directory, target.model, options)
        return _Opened(model, snapshot.repository, snapshot.commit)
    return _registered(target, options)


def _registered(target: Target, options: EncoderOptions) -> _Opened:
    """Build one of timm's own models; its architecture and preprocessing are in timm, its weights on the hub."""
    import timm  # noqa: PLC0415 - seconds of imports

    name = target.location
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise NotFoundError.named("timm model", name, timm.list_models())
    tagged = timm.list_models(f"{architecture}*", pretrained=True)
    if "." in name and name not in tagged:
        raise NotFoundError.named("pretrained timm model", name, tagged)
    if options.random_init is not None:
        with drawn_from(options.random_init):
            return _Opened(timm.create_model(name, pretrained=False), f"timm/{name}", "none")
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise NotFoundError.named("pretrained timm model", name, tagged)
    snapshot = fetch(target, config.hf_hub_id, options)
    file = weight_files(snapshot.directory, target.model, options)[0]
    return _Opened(_create(name, file, target.model), snapshot.repository, snapshot.commit)


def _from_directory(directory: Path, name: str, options: EncoderOptions) -> nn.Module:
    """Build what a directory's config.json describes, of timm's architectures or of one registered with timm."""
    import timm  # noqa: PLC0415 - seconds of imports

    config = read_json(directory / "config.json", name)
    architecture = config.get("architecture")
    if not isinstance(architecture, str) or not timm.is_model(architecture):
        raise ModelError(
            f"{name}: timm knows no architecture {architecture!r} (config.json); import the module that registers it "
            "with timm.models.register_model, or update timm"
        )
    if options.random_init is None:
        model = _create(f"local-dir:{directory}", weight_files(directory, name, options)[0], name)
    else:
        with drawn_from(options.random_init):
            model = timm.create_model(f"local-dir:{directory}", pretrained=False)
    if not getattr(model, "pretrained_cfg", None):
        model.pretrained_cfg = config.get("pretrained_cfg", {})
    return model


def _create(identifier: str, file: Path, name: str) -> nn.Module:
    """Create a model with the weights in ``file``, and with no others."""
    import timm  # noqa: PLC0415 - seconds of imports

    # The weights are drawn before they are overwritten: that must not move the caller's random state.
    overlay = {"file": str(file), "source": "", "custom_load": False}
    try:
        with drawn_from(None):
            model = timm.create_model(identifier, pretrained=True, pretrained_cfg_overlay=overlay)
        if not getattr(model, "pretrained_cfg", None):
            # A registered architecture that does not go through timm's builder ignores `pretrained`, in silence.
            model.load_state_dict(timm.models.load_state_dict(str(file), use_ema=False))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{name}: {file.name} does not fit its architecture: {reason}") from error
    return cast("nn.Module", model)


def _probe(
    model: nn.Module, blocks: dict[str, nn.Module], input_size: Sequence[int]
) -> list[Shape]:
    """Send one blank image through, and read off the shape of what each block gives."""
    seen: dict[int, Shape] = {}

    def hook(index: int) -> Callable[..., None]:
        def look(_module: nn.Module, _inputs: object, output: object) -> None:
            seen[index] = shape_of(first_tensor(output), model)

        return look

    handles = [block.register_forward_hook(hook(i)) for i, block in enumerate(blocks.values())]
    first = next(model.parameters())
    try:
        with torch.inference_mode():
            _forward(model, torch.zeros(1, *input_size, device=first.device, dtype=first.dtype))
    finally:
        for handle in handles:
            handle.remove()
    silent = [path for index, path in enumerate(blocks) if index not in seen]
    if silent:
        raise ModelError(f"block {silent[0]} does not run in the forward pass: it cannot be read")
    return [seen[index] for index in range(len(blocks))]


def _pooling(
    target: Target, options: EncoderOptions, model: nn.Module, shapes: Sequence[Shape]
) -> str:
    has_cls = all(has_class_token(model, shape.prefix) for shape in shapes)
    default = target.pooling or ("cls" if has_cls else "mean")
    pooling = options.pooling or default
    if pooling == "cls" and not has_cls:
        prefix = shapes[-1].prefix
        has = f"{prefix} register tokens and no class token" if prefix else "no class token"
        raise ModelError(f"{target.model}: has {has} in its blocks; use --pool mean")
    if pooling not in {"cls", "mean"}:
        raise ModelError(
            f"{target.model}: no pooling {pooling!r} for images; use {'cls or ' if has_cls else ''}mean"
        )
    return pooling


def _recorded(config: dict[str, Any]) -> dict[str, Any]:
    """Write timm's data configuration as JSON would."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in sorted(config.items())}
