"""How the vision model is trained: on what is where in an image, as numbers, without a word."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Final

import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from ingest.demo.corpus import UNLABELLED, LabelledImages, labelled_images
from ingest.demo.record import write_record
from ingest.demo.scenes import BACKGROUNDS, CATEGORIES, SIZES, TEXTURES
from ingest.demo.vision import ARCHITECTURE, PREPROCESSING

if TYPE_CHECKING:
    from pathlib import Path

_HELD_OUT: Final = 400
_LEARNING_RATE: Final = 2e-3
_WARM_UP: Final = 100  # steps
_PATCH_ANSWERS: Final = (len(CATEGORIES) + 1, len(SIZES), len(TEXTURES))  # one category more: none
_ANSWERS: Final = 2 + len(TEXTURES) + 2  # a category's presence, size, textures, y and x
_NOTHING_WEIGHT: Final = 0.3  # most patches are background

log = logging.getLogger(__name__)


class Answers(nn.Module):
    """The heads that are asked: about each patch, and of the class token about the whole. They are not shipped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patch = nn.Linear(width, sum(_PATCH_ANSWERS))
        self.whole = nn.Linear(width, len(BACKGROUNDS) + len(CATEGORIES) * _ANSWERS)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map (n, 1 + patches, width) tokens to answers about patches, the background and each category."""
        background, categories = self.whole(tokens[:, 0]).split(
            [len(BACKGROUNDS), len(CATEGORIES) * _ANSWERS], dim=1
        )
        return self.patch(tokens[:, 1:]), background, categories.unflatten(1, (-1, _ANSWERS))


class _Targets:
    """Labelled images as tensors, any rows of them at a time."""

    def __init__(self, data: LabelledImages, device: torch.device) -> None:
        self._tensors = [torch.from_numpy(array).to(device) for array in data]

    def rows(self, index: torch.Tensor | slice) -> tuple[torch.Tensor, ...]:
        """Return images as (n, 3, 64, 64) floats in [0, 1], background, patches, present, attributes."""
        images, *labels = (tensor[index] for tensor in self._tensors)
        return images.permute(0, 3, 1, 2).float() / 255, *labels


def train(
    out: Path,
    *,
    steps: int,
    items: int,
    batch: int = 64,
    seed: int = 0,
    layers: int = 6,
    width: int = 128,
) -> float:
    """Train on ``items`` scenes and save a timm directory in float16.

    Parameters
    ----------
    out : Path
        Gets ``config.json``, ``model.safetensors`` and ``training.jsonl``.
    steps, batch : int
        Number of updates, and images in each.
    items : int
        Scenes to learn from; some more are held out.
    seed : int
        Decides the scenes, the weights at the start and the order.
    layers, width : int
        Depth and width of the model.

    Returns
    -------
    float
        Share of the held-out scenes' patches of a thing whose category is right.
    """
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    shape = {"embed_dim": width, "depth": layers, "num_heads": width // 32}
    model = timm.create_model(ARCHITECTURE, **shape).to(device)
    for block in model.blocks:
        block.attn.fused_attn = False  # slower than the plain one at this size on a CPU
    heads = Answers(width).to(device)
    held_out = _Targets(labelled_images(seed, 0, _HELD_OUT), device)
    scenes = _Targets(labelled_images(seed, _HELD_OUT, _HELD_OUT + items), device)
    log.info("%d scenes in %.0f s", items, time.monotonic() - started)

    parameters = [*model.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(
        parameters, lr=_LEARNING_RATE, weight_decay=0.03, betas=(0.9, 0.98)
    )
    generator = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * min(1, (step + 1) / _WARM_UP) * (1 - 0.95 * step / steps)
        images, *labels = scenes.rows(torch.randint(items, (batch,), generator=generator))
        tokens = _tokens(model, _recoloured(images, generator))
        loss = torch.stack(list(_losses(heads(tokens), labels).values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            history.append({"step": step + 1} | _evaluate(model, heads, held_out))
            log.info("%s, %.0f s", history[-1], time.monotonic() - started)

    _save(out, model, shape)
    settings = {"steps": steps, "batch": batch, "items": items, "seed": seed}
    write_record(out, [settings, *history])
    return float(history[-1]["patch category"])


def _tokens(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.autocast(images.device.type, torch.bfloat16):
        tokens: torch.Tensor = model.forward_features(images * 2 - 1)  # type: ignore[operator] # timm's method
    return tokens.float()


def _recoloured(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change saturation, brightness and contrast, often the order of the channels, sometimes to grey.

    Colour is noise in this world: every category comes in every colour.
    """
    n, device = len(images), images.device

    def draw(low: float, high: float) -> torch.Tensor:
        return (low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)).to(device)

    grey = images.mean(1, keepdim=True)
    images = (grey + (images - grey) * draw(0, 1.4)) * draw(0.7, 1.3)
    level = images.mean((2, 3), keepdim=True)
    images = level + (images - level) * draw(0.7, 1.3)
    order = torch.stack([torch.randperm(3, generator=generator) for _ in range(n)]).to(device)
    swapped = images.gather(1, order[:, :, None, None].expand_as(images))
    images = torch.where(draw(0, 1) < 0.5, swapped, images)  # noqa: PLR2004 - half of them
    grey = images.mean(1, keepdim=True).expand_as(images)
    return torch.where(draw(0, 1) < 0.2, grey, images).clamp(0, 1)  # noqa: PLR2004 - a fifth of them


def _losses(
    answers: tuple[torch.Tensor, torch.Tensor, torch.Tensor], labels: list[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return each question's loss, weighted so that they are of like size."""
    (patch, background, whole), (is_background, patches, present, attributes) = answers, labels
    category, size, texture = torch.split(patch, list(_PATCH_ANSWERS), dim=2)
    thing, there = patches[..., 0] != UNLABELLED, present > 0
    weight = torch.ones(len(CATEGORIES) + 1, device=patch.device)
    weight[0] = _NOTHING_WEIGHT
    said, truth = whole[there], attributes[there]
    return {
        "patch category": F.cross_entropy(
            category.flatten(0, 1), patches[..., 0].flatten() + 1, weight
        ),
        "patch size": 0.3 * F.cross_entropy(size[thing], patches[..., 1][thing]),
        "patch texture": 0.3 * F.cross_entropy(texture[thing], patches[..., 2][thing]),
        "background": 0.3 * F.cross_entropy(background, is_background),
        "presence": 4 * F.binary_cross_entropy_with_logits(whole[..., 0], present),
        "size": 0.5 * F.binary_cross_entropy_with_logits(said[:, 1], truth[:, 0]),
        "texture": 0.5 * F.cross_entropy(said[:, 2:-2], truth[:, 1].long()),
        "place": 6 * F.mse_loss(said[:, -2:], truth[:, 2:]),
    }


@torch.inference_mode()
def _evaluate(model: nn.Module, heads: nn.Module, held_out: _Targets) -> dict[str, float]:
    """Return how many of the questions about held-out scenes are answered right; for places, R2."""
    images, _, patches, present, attributes = held_out.rows(slice(None))
    patch, _, whole = heads(_tokens(model, images))
    thing, there = patches[..., 0] != UNLABELLED, present > 0
    said, truth = whole[there], attributes[there]
    category = patch[..., : len(CATEGORIES) + 1].argmax(2) - 1
    right = {
        "patch category": (category == patches[..., 0])[thing],
        "recall": whole[..., 0][there] > 0,
        "false alarm": whole[..., 0][~there] > 0,
        "size": (said[:, 1] > 0) == (truth[:, 0] > 0),
        "texture": said[:, 2:-2].argmax(1) == truth[:, 1],
    }
    scores = {name: round(value.float().mean().item(), 4) for name, value in right.items()}
    unexplained = (said[:, -2:] - truth[:, 2:]).square().mean() / truth[:, 2:].var(0).mean()
    return scores | {"place R2": round(1 - unexplained.item(), 4)}


def _save(out: Path, model: nn.Module, shape: dict[str, int]) -> None:
    state = {name: tensor.half().contiguous().cpu() for name, tensor in model.state_dict().items()}
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architecture": ARCHITECTURE,
        "num_classes": 0,
        "num_features": shape["embed_dim"],
        "model_args": shape,
        "pretrained_cfg": PREPROCESSING,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
