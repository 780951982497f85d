"""The blocks of an image model, in order: every residual block, not only the last of each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from vdb.errors import ModelError

if TYPE_CHECKING:
    from ingest.encoders.pooling import Layout

_TRUNKS = (
    "blocks",
    "layers",
    "stages",
    "layer1",
    "layer2",
    "layer3",
    "layer4",
    "s1",
    "s2",
    "s3",
    "s4",
)
"""Where timm's architectures keep their blocks or the stages that hold them; ResNets and RegNets have four."""

_STAGE_PARTS = ("blocks",)
"""Where a stage keeps its blocks: Swin, ConvNeXt, MaxViT, MetaFormer."""


def find_blocks(model: nn.Module, name: str) -> dict[str, nn.Module]:
    """List a timm model's blocks in the order in which they run, by module path.

    Raises
    ------
    ModelError
        The architecture keeps its blocks somewhere else.
    """
    blocks = {
        path: block
        for trunk in _TRUNKS
        if isinstance(getattr(model, trunk, None), nn.Module)
        for path, block in _descend(trunk, model.get_submodule(trunk)).items()
    }
    if not blocks:
        parts = ", ".join(child for child, _ in model.named_children())
        raise ModelError(
            f"{name}: no blocks found in this architecture (its parts: {parts}); "
            "wrap it in an encoder of your own (docs/design/encoders.md)"
        )
    return blocks


def _descend(path: str, module: nn.Module) -> dict[str, nn.Module]:
    """Walk through containers and stages down to blocks."""
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return {
            p: block
            for key, child in module.named_children()
            for p, block in _descend(f"{path}.{key}", child).items()
        }
    for part in _STAGE_PARTS:
        inner = getattr(module, part, None)
        if isinstance(inner, nn.Sequential | nn.ModuleList) and len(inner):
            return _descend(f"{path}.{part}", inner)
    if not path.rpartition(".")[0]:
        # A trunk that is itself a stage (RegNet's s1): its children are the blocks.
        return {f"{path}.{key}": child for key, child in module.named_children()}
    return {path: module}


@dataclass(frozen=True, slots=True)
class Shape:
    """What comes out of a block: how it is laid out, its width, and how many tokens are not patches."""

    layout: Layout
    width: int
    prefix: int


def first_tensor(output: object) -> Tensor:
    """Return a block's tensor; some blocks return it with the size of their feature map."""
    return cast("Tensor", output[0] if isinstance(output, tuple) else output)


def shape_of(x: Tensor, model: nn.Module) -> Shape:
    """Read off the layout of a block's output.

    Four axes are NCHW unless the model says otherwise (Swin). Three are tokens, with ``num_prefix_tokens`` in
    front, except where the class token joins after the trunk (CaiT, XCiT) and the patches stand alone.
    """
    if x.ndim == 4:  # noqa: PLR2004 - a batch, two sides and a width
        layout: Layout = "NHWC" if getattr(model, "output_fmt", "NCHW") == "NHWC" else "NCHW"
        return Shape(layout, int(x.shape[-1 if layout == "NHWC" else 1]), 0)
    prefix = int(getattr(model, "num_prefix_tokens", 0) or 0)
    patches = getattr(getattr(model, "patch_embed", None), "num_patches", None)
    return Shape("tokens", int(x.shape[-1]), 0 if patches == x.shape[1] else prefix)


def has_class_token(model: nn.Module, prefix: int) -> bool:
    """Tell whether the first of the prefix tokens is a class token, rather than a register."""
    return prefix > 0 and any(
        path.rpartition(".")[2] == "cls_token" for path, _ in model.named_parameters()
    )
