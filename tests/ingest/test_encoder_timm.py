"""Image models against a forward pass written out by hand, one block after the other, for each family."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from ingest.encoders import EncoderOptions, load_encoder
from ingest.encoders.taps import Sheet
from vdb.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ingest.encoders import Encoder

RELATIVE = 1e-5
"""How far a value may be off, of the largest in its layer: the sums of a batch are ordered by its size."""

SEED = 7


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def vit(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """ViT, MAE, CLIP: [CLS, patches] + positions, the pre-norm (identity outside CLIP), blocks."""
    x = m.patch_embed.proj(x).flatten(2).transpose(1, 2)
    x = torch.cat([m.cls_token.expand(len(x), 1, -1), x], 1) + m.pos_embed
    return loop(m.norm_pre(x), m.blocks)


def registers(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """DINOv2 with registers: positions on patches alone, then [CLS, registers, patches]."""
    x = m.patch_embed.proj(x).flatten(2).transpose(1, 2) + m.pos_embed
    x = torch.cat([m.cls_token.expand(len(x), 1, -1), m.reg_token.expand(len(x), -1, -1), x], 1)
    return loop(x, m.blocks)


def siglip(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return loop(m.patch_embed.proj(x).flatten(2).transpose(1, 2) + m.pos_embed, m.blocks)


def eva(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.patch_embed.proj(x).flatten(2).transpose(1, 2)
    x = torch.cat([m.cls_token.expand(len(x), 1, -1), x], 1) + m.pos_embed
    return loop(x, m.blocks, rope=m.rope.get_embed())


def dinov3(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.patch_embed.proj(x)
    rope = m.rope.get_embed(shape=x.shape[2:])
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([m.cls_token.expand(len(x), 1, -1), m.reg_token.expand(len(x), -1, -1), x], 1)
    return loop(x, m.blocks, rope=rope)


def beit(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.patch_embed.proj(x).flatten(2).transpose(1, 2)
    return loop(torch.cat([m.cls_token.expand(len(x), 1, -1), x], 1), m.blocks)


def swin(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.patch_embed.norm(m.patch_embed.proj(x).permute(0, 2, 3, 1))
    outputs = []
    for stage in m.layers:
        outputs += loop(stage.downsample(x), stage.blocks)
        x = outputs[-1]
    return outputs


def convnext(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.stem(x)
    outputs = []
    for stage in m.stages:
        outputs += loop(stage.downsample(x), stage.blocks)
        x = outputs[-1]
    return outputs


def resnet(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    x = m.maxpool(torch.relu(m.bn1(m.conv1(x))))
    return loop(x, [*m.layer1, *m.layer2, *m.layer3, *m.layer4])


def efficientnet(m: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return loop(m.bn1(m.conv_stem(x)), [block for stage in m.blocks for block in stage])


def loop(x: torch.Tensor, blocks: Any, **kwargs: Any) -> list[torch.Tensor]:
    outputs = []
    for block in blocks:
        x = block(x, **kwargs)
        outputs.append(x)
    return outputs


SMALL = {"embed_dim": 32, "depth": 3, "num_heads": 2}
# family: architecture, what makes it small, side of its images, hand-written forward, tokens before the patches
# (None where the blocks give feature maps), axes of a feature map
FAMILIES: dict[str, tuple[str, dict[str, Any], int, Any, int | None, tuple[int, ...]]] = {
    "vit": ("vit_tiny_patch16_224", {**SMALL, "patch_size": 8, "img_size": 32}, 32, vit, 1, ()),
    "mae": ("vit_base_patch16_224", {**SMALL, "patch_size": 8, "img_size": 32}, 32, vit, 1, ()),
    "clip": (
        "vit_base_patch16_clip_224",
        {**SMALL, "patch_size": 8, "img_size": 32},
        32,
        vit,
        1,
        (),
    ),
    "registers": (
        "vit_small_patch14_reg4_dinov2",
        {**SMALL, "patch_size": 8, "img_size": 32, "init_values": 1.0},
        32,
        registers,
        5,
        (),
    ),
    "siglip": (
        "vit_base_patch16_siglip_224",
        {**SMALL, "patch_size": 8, "img_size": 32},
        32,
        siglip,
        0,
        (),
    ),
    "eva02": ("eva02_tiny_patch14_224", {**SMALL, "patch_size": 8, "img_size": 32}, 32, eva, 1, ()),
    "dinov3": (
        "vit_small_patch16_dinov3",
        {**SMALL, "patch_size": 8, "img_size": 32, "init_values": 1.0},
        32,
        dinov3,
        5,
        (),
    ),
    "beit": ("beit_base_patch16_224", {**SMALL, "patch_size": 8, "img_size": 32}, 32, beit, 1, ()),
    "swin": (
        "swin_tiny_patch4_window7_224",
        {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "img_size": 32},
        32,
        swin,
        None,
        (1, 2),
    ),
    "convnext": (
        "convnext_atto",
        {"depths": [1, 2, 1, 1], "dims": [8, 16, 24, 32]},
        64,
        convnext,
        None,
        (2, 3),
    ),
    "resnet": ("resnet18", {}, 64, resnet, None, (2, 3)),
    "efficientnet": ("efficientnet_b0", {}, 64, efficientnet, None, (2, 3)),
}


def make_directory(root: Path, architecture: str, args: dict[str, Any], side: int) -> Path:
    directory = root / f"tiny-{architecture}"
    directory.mkdir()
    config = {
        "architecture": architecture,
        "num_classes": 10,
        "model_args": args,
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "crop_pct": 0.875,
            "interpolation": "bicubic",
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.25, 0.5],
            "num_classes": 10,
        },
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def photos(n: int, seed: int = 0) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(40, 90, (n, 2))
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for h, w in sizes]


def library_model(directory: Path, seed: int) -> Any:
    """The same architecture with the weights that the library draws after ``torch.manual_seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return timm.create_model(f"local-dir:{directory}", pretrained=False).eval()


def float32(**options: Any) -> EncoderOptions:
    return EncoderOptions(device="cpu", stored_dtype="float32", **options)


def layers_of(vectors: np.ndarray, encoder: Encoder) -> list[np.ndarray]:
    return np.split(
        vectors, np.cumsum([layer.width for layer in encoder.recipe.layers])[:-1], axis=1
    )


def encode(encoder: Encoder, images: Sequence[Image.Image], size: int) -> np.ndarray:
    items = [encoder.prepare(image) for image in images]
    return np.concatenate([encoder.encode(items[i : i + size]) for i in range(0, len(items), size)])


def assert_close(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    assert len(actual) == len(expected)
    for index, (a, e) in enumerate(zip(actual, expected, strict=True)):
        np.testing.assert_allclose(
            a, e, rtol=0, atol=RELATIVE * np.abs(e).max(), err_msg=f"layer {index}"
        )


def poolings(prefix: int | None) -> list[str]:
    return ["cls", "mean"] if prefix else ["mean"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_block_equals_the_hand_written_forward(family: str, tmp_path: Path) -> None:
    architecture, args, side, forward, prefix, axes = FAMILIES[family]
    directory = make_directory(tmp_path, architecture, args, side)
    model, images = library_model(directory, SEED), photos(32)
    for pooling in poolings(prefix):
        encoder = load_encoder(str(directory), float32(random_init=SEED, pooling=pooling))
        pixels = torch.stack([encoder.prepare(image).data for image in images])
        with torch.no_grad():
            blocks = forward(model, pixels)
        expected = [pool(x, pooling, prefix, axes) for x in blocks]
        assert_close(layers_of(encode(encoder, images, 32), encoder), expected)
        assert_close(layers_of(encode(encoder, images[:4], 1), encoder), [e[:4] for e in expected])
        depths = [layer.depth for layer in encoder.recipe.layers]
        assert depths == pytest.approx(np.arange(1, len(blocks) + 1) / len(blocks))


def pool(x: torch.Tensor, pooling: str, prefix: int | None, axes: tuple[int, ...]) -> np.ndarray:
    if prefix is None:
        return x.double().mean(axes).numpy()
    return x[:, 0].numpy() if pooling == "cls" else x[:, prefix:].double().mean(1).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_default_pooling_is_the_class_token_where_there_is_one(family: str, tmp_path: Path) -> None:
    architecture, args, side, _, prefix, _ = FAMILIES[family]
    directory = make_directory(tmp_path, architecture, args, side)
    encoder = load_encoder(str(directory), float32(random_init=0))
    assert encoder.recipe.pooling == poolings(prefix)[0]
    if not prefix:
        with pytest.raises(ModelError, match=r"no class token in its blocks; use --pool mean"):
            load_encoder(str(directory), float32(random_init=0, pooling="cls"))
    with pytest.raises(ModelError, match="no pooling 'last' for images"):
        load_encoder(str(directory), float32(random_init=0, pooling="last"))


@pytest.mark.parametrize("name", ["cait_xxs24_224", "xcit_nano_12_p16_224"])
def test_a_class_token_that_joins_after_the_trunk_is_not_in_the_blocks(name: str) -> None:
    encoder = load_encoder(f"timm:{name}", float32(random_init=0))
    model = timm.create_model(name)
    seen: list[torch.Tensor] = []
    model.blocks[-1].register_forward_hook(lambda _m, _i, output: seen.append(output))
    with torch.no_grad():
        model.forward_features(torch.zeros(1, 3, 224, 224))
    assert seen[0].shape[1] == model.patch_embed.num_patches
    assert encoder.recipe.pooling == "mean"
    with pytest.raises(ModelError, match="no class token"):
        load_encoder(f"timm:{name}", float32(random_init=0, pooling="cls"))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_directory(tmp_path, *FAMILIES["vit"][:3])


def test_the_same_batch_twice_gives_the_same_bits(tiny: Path) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    images = photos(5)
    np.testing.assert_array_equal(encode(encoder, images, 5), encode(encoder, images, 5))


def test_a_seed_decides_the_weights_and_moves_no_global_state(tiny: Path) -> None:
    images = photos(2)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global state is what is watched
    random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index,union-attr]  # noqa: NPY002
    first, again, other = (
        encode(load_encoder(str(tiny), float32(random_init=seed)), images, 2) for seed in (1, 1, 2)
    )
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002
    assert before[2] == random.getstate()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_a_local_directory_gives_the_weights_it_holds(tiny: Path) -> None:
    model = library_model(tiny, seed=11)
    save_file(model.state_dict(), tiny / "model.safetensors")
    images = photos(3)
    saved = load_encoder(str(tiny), float32())
    drawn = load_encoder(str(tiny), float32(random_init=11))
    np.testing.assert_array_equal(encode(saved, images, 3), encode(drawn, images, 3))
    assert (saved.recipe.weights, drawn.recipe.weights) == ("pretrained", "random-init:seed=11")


def test_a_checkpoint_of_another_shape_is_refused(tiny: Path) -> None:
    state = library_model(tiny, seed=0).state_dict()
    del state["blocks.1.mlp.fc1.weight"]
    save_file(state, tiny / "model.safetensors")
    with pytest.raises(ModelError, match=r"model.safetensors does not fit .*blocks\.1\.mlp\.fc1"):
        load_encoder(str(tiny), float32())


def test_preprocessing_is_resize_crop_and_normalise(tiny: Path) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    image = photos(1)[0].resize((80, 60))
    # 32 pixels are 0.875 of the shorter side: 60 x 80 becomes 36 x 48, of which the middle 32 x 32 is kept.
    small = image.resize((48, 36), Image.Resampling.BICUBIC).crop((8, 2, 40, 34))
    expected = (np.asarray(small) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.5]
    actual = encoder.prepare(image).data.numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert encoder.recipe.preprocessing == {
        "crop_mode": "center",
        "crop_pct": 0.875,
        "input_size": [3, 32, 32],
        "interpolation": "bicubic",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.25, 0.5],
    }


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16"])
def test_only_rgb_is_taken(tiny: Path, mode: str) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    with pytest.raises(InputError, match=f"takes an RGB image, not mode {mode}"):
        encoder.prepare(Image.new(mode, (50, 50)))


def test_nothing_in_nothing_out(tiny: Path) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    assert encoder.encode([]).shape == (0, 3 * 32)


def test_one_copy_to_the_host_a_batch(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    items = [encoder.prepare(image) for image in photos(4)]
    copies: list[tuple[int, ...]] = []
    to_host = torch.Tensor.cpu

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tuple(tensor.shape))
        return to_host(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", counted)
    for name in ("numpy", "tolist", "item"):
        original = getattr(torch.Tensor, name)

        def only_on_host(tensor: torch.Tensor, *args: Any, _f: Any = original, **kw: Any) -> Any:
            assert tensor.ndim == 0 or copies, "read on the host before the one copy"
            return _f(tensor, *args, **kw)

        monkeypatch.setattr(torch.Tensor, name, only_on_host)
    encoder.encode(items)
    assert copies == [(4, 3 * 32)]


def test_tokens_do_not_outlive_their_block(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook writes has the size of the vectors, not of the tokens."""
    encoder = load_encoder(str(tiny), float32(random_init=0, pooling="mean"))
    written: list[tuple[int, ...]] = []
    write = Sheet.write

    def watch(sheet: Sheet, index: int, pooled: torch.Tensor) -> None:
        written.append(tuple(pooled.shape))
        write(sheet, index, pooled)

    monkeypatch.setattr(Sheet, "write", watch)
    encode(encoder, photos(4), 4)
    assert written == [(4, 32)] * 3


def test_out_of_memory_reaches_the_caller_and_the_next_batch_works(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(str(tiny), float32(random_init=0))
    images = photos(2)
    expected = encode(encoder, images, 2)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Sheet, "write", full)
        with pytest.raises(torch.OutOfMemoryError):
            encode(encoder, images, 2)
    np.testing.assert_array_equal(encode(encoder, images, 2), expected)


@pytest.mark.parametrize(("dtype", "epsilon"), [("bfloat16", 2**-8), ("float16", 2**-11)])
def test_half_precision_is_near_and_recorded(tiny: Path, dtype: Any, epsilon: float) -> None:
    images = photos(4)
    full = encode(load_encoder(str(tiny), float32(random_init=0)), images, 4)
    encoder = load_encoder(str(tiny), float32(random_init=0, dtype=dtype))
    assert encoder.recipe.dtype == dtype
    # A few dozen roundings on the way through three blocks.
    assert 0 < np.abs(encode(encoder, images, 4) - full).max() < 16 * epsilon * np.abs(full).max()


def test_what_float16_cannot_hold_becomes_inf() -> None:
    layers = load_encoder("timm:resnet18", float32(random_init=0)).recipe.layers[:1]
    sheet = Sheet(layers, 1, "float16", torch.device("cpu"))
    sheet.write(0, torch.full((1, 64), 1e6))
    assert np.isposinf(sheet.to_host("m")).all()


def test_a_layer_that_did_not_run_or_ran_twice_is_an_error() -> None:
    layers = load_encoder("timm:resnet18", float32(random_init=0)).recipe.layers[:2]
    sheet = Sheet(layers, 1, "float32", torch.device("cpu"))
    sheet.write(0, torch.zeros(1, 64))
    with pytest.raises(ModelError, match=r"m: layer layer1\.1 was produced 0 times"):
        sheet.to_host("m")
    sheet.write(1, torch.zeros(1, 64))
    sheet.write(1, torch.zeros(1, 64))
    with pytest.raises(ModelError, match=r"m: layer layer1\.1 was produced 2 times"):
        sheet.to_host("m")


def test_an_architecture_of_ones_own_loads_once_it_is_registered(tmp_path: Path) -> None:
    name = "vit_of_my_own"
    directory = make_directory(tmp_path, name, {}, 32)
    with pytest.raises(ModelError, match=f"timm knows no architecture '{name}'.*register_model"):
        load_encoder(str(directory), float32(random_init=0))
    register_conv_stem_vit(name)
    save_file(library_model(directory, seed=3).state_dict(), directory / "model.safetensors")
    images = photos(2)
    drawn = load_encoder(str(directory), float32(random_init=3))
    saved = load_encoder(str(directory), float32())
    by_name = load_encoder(f"timm:{name}", float32(random_init=3))
    assert [layer.name for layer in saved.recipe.layers] == ["blocks.0", "blocks.1"]
    np.testing.assert_array_equal(encode(saved, images, 2), encode(drawn, images, 2))
    assert by_name.recipe.pooling == saved.recipe.pooling == "cls"


def register_conv_stem_vit(name: str) -> None:
    from functools import partial  # noqa: PLC0415 - of this architecture alone

    from timm.models import VisionTransformer, register_model  # noqa: PLC0415
    from timm.models.vision_transformer_hybrid import ConvStem, HybridEmbed  # noqa: PLC0415

    def architecture(pretrained: bool = False, **kwargs: Any) -> Any:  # noqa: ARG001
        stem = ConvStem(channels=(8, 16), kernel_size=3, stride=(4, 2), padding=1, depth=2)
        embed = partial(HybridEmbed, backbone=stem, proj=False)
        known = {k: v for k, v in kwargs.items() if k in {"num_classes", "img_size"}}
        return VisionTransformer(
            **{"img_size": 32, **known},
            patch_size=1,
            embed_dim=16,
            depth=2,
            num_heads=2,
            embed_layer=embed,
        )

    architecture.__name__ = architecture.__qualname__ = name
    register_model(architecture)
