"""The demo's vision architecture, a small ViT on convolutions, registered with timm as ``vdb_demo_vit``.

Importing this module is what registers it: ``timm.create_model("local-dir:...")`` finds it afterwards.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, Final

import timm
from timm.layers import HybridEmbed
from timm.models import VisionTransformer, build_model_with_cfg, register_model
from torch import nn

ARCHITECTURE: Final = "vdb_demo_vit"

PREPROCESSING: Final[dict[str, Any]] = {
    "input_size": [3, 64, 64],
    "fixed_input_size": True,
    "interpolation": "bicubic",
    "crop_pct": 1.0,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "num_classes": 0,
    "classifier": "head",
    "license": "apache-2.0",
}

default_cfgs = timm.models.generate_default_cfgs(
    {f"{ARCHITECTURE}.demo": PREPROCESSING}
)  # timm looks here


def _conv_stem(width: int) -> nn.Sequential:
    """Make four convolutions that shrink an image eightfold; a stem learns in far fewer steps than one patch matrix.

    The norms are over one image, not over a batch: an untrained twin, which has seen no batch, is normalised as well.
    """
    channels = (3, width // 4, width // 2, width)
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(channels):
        convolution = nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False)
        layers += [convolution, nn.GroupNorm(1, wide), nn.GELU()]
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3, padding=1))


@register_model  # type: ignore[untyped-decorator] # timm is not typed
def vdb_demo_vit(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:  # noqa: ANN401 - timm's
    """Build the model: 64 x 64 pixels, 64 tokens and a class token, 6 blocks of width 128."""
    shape = {
        "img_size": 64,
        "embed_dim": 128,
        "depth": 6,
        "num_heads": 4,
        "num_classes": 0,
    } | kwargs
    stem = partial(HybridEmbed, backbone=_conv_stem(shape["embed_dim"]), proj=False)
    return build_model_with_cfg(
        VisionTransformer, ARCHITECTURE, pretrained, patch_size=1, embed_layer=stem, **shape
    )
