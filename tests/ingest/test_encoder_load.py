"""What a user may call a model, what is refused, and what happens without a hub."""

from __future__ import annotations

import json
import threading
import time
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
import transformers as tr
from PIL import Image
from safetensors.torch import save_file

from ingest.encoders import EncoderOptions, Target, hub, load, load_encoder
from ingest.encoders.identity import content_revision
from vdb.errors import InputError, ModelError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECONDS = 5.0
"""Within how long a model that cannot be had must be an error, imports aside."""


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees models that happen to be cached on the machine, and none reaches out for them."""
    torch.set_num_threads(1)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)


def unreachable(*_: object, **__: object) -> Any:
    raise ConnectionError("Name or service not known")


def cpu(**options: Any) -> EncoderOptions:
    return EncoderOptions(device="cpu", **options)


# Names


@pytest.mark.parametrize(
    ("name", "prefix", "location"),
    [
        ("vit-l", "timm", "vit_large_patch16_224.augreg_in21k"),
        ("vit-large", "timm", "vit_large_patch16_224.augreg_in21k"),
        ("vit_large_patch16_224.augreg_in21k", "timm", "vit_large_patch16_224.augreg_in21k"),
        ("timm:resnet18", "timm", "resnet18"),
        ("timm:someone/their-vit", "timm", "someone/their-vit"),
        ("hf:gpt2", "hf", "gpt2"),
        ("bigscience/bloomz-560m", "hf", "bigscience/bloomz-560m"),
        ("st:all-MiniLM-L6-v2", "st", "sentence-transformers/all-MiniLM-L6-v2"),
        ("st:BAAI/bge-small-en-v1.5", "st", "BAAI/bge-small-en-v1.5"),
        ("e5-small", "st", "intfloat/e5-small-v2"),
    ],
)
def test_a_name_resolves_to_a_library_and_its_own_name(
    name: str, prefix: str, location: str
) -> None:
    found, target = load.resolve(name)
    assert (found, target.location, target.directory) == (prefix, location, None)


def test_the_catalogue_hands_its_defaults_on() -> None:
    assert load.resolve("e5-small")[1].prompt == "query: "
    assert load.resolve("bge-small")[1].pooling == "cls"
    assert load.resolve("gemma-2b")[1].gated


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit-1", r"no model 'vit-1'; did you mean .*vit-l"),
        ("mini-lm", r"no model 'mini-lm'; did you mean .*minilm"),
        ("hff:gpt2", r"no library 'hff'"),
        ("timm:vit_tiny_patch16_244", r"no timm model .*did you mean vit_tiny_patch16_224"),
        (
            "timm:vit_tiny_patch16_224.augreg_in12k",
            r"no pretrained timm model .*vit_tiny_patch16_224\.augreg_in21k",
        ),
        (
            "someone/their-model",
            r"no directory 'someone/their-model'; .* say hf:someone/their-model",
        ),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        load_encoder(name, cpu())


@pytest.mark.parametrize(
    "name", ["./nowhere", "~/nowhere-at-all", "/nowhere/at/all", "hf:./nowhere"]
)
def test_a_directory_that_is_not_there_is_called_that(name: str) -> None:
    with pytest.raises(ModelError, match="there is no such directory"):
        load_encoder(name, cpu())


def test_a_directory_does_not_hide_a_catalogue_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_timm(tmp_path / "vit-l")
    assert load.resolve("vit-l")[1].directory is None
    assert load.resolve("./vit-l")[1].directory == tmp_path / "vit-l"


@pytest.mark.parametrize("config", [{}, {"hidden_size": 3}])
def test_a_directory_of_no_library_says_what_is_missing(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"neither an architecture \(timm\) nor a model_type"):
        load_encoder(str(tmp_path), cpu())


def test_a_config_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("<html>")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        load_encoder(str(tmp_path), cpu())


def test_an_entry_point_answers_to_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoints([EntryPoint("mine", f"{__name__}:echo", load.ENTRY_POINT_GROUP)])
    monkeypatch.setattr(
        load, "entry_points", lambda *, group, **kw: offered.select(group=group, **kw)
    )
    monkeypatch.setattr(EntryPoint, "load", lambda _self: echo)
    target, options = load_encoder("mine:some/thing", cpu(random_init=4))  # type: ignore[misc]
    assert target == Target("mine:some/thing", "some/thing")
    assert options.random_init == 4


def echo(target: Target, options: EncoderOptions) -> Any:
    return target, options


@pytest.mark.parametrize(
    ("device", "message"), [("gpu", "no device 'gpu'"), ("cuda:99", "is not here; |is not here: ")]
)
def test_a_device_that_is_not_there_is_called_that(
    device: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load_encoder(
            str(make_timm(tmp_path / "tiny")), EncoderOptions(device=device, random_init=0)
        )


# What may be opened


SMALL_VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8, "img_size": 16}


def make_timm(directory: Path) -> Path:
    directory.mkdir()
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 4,
        "model_args": SMALL_VIT,
        "pretrained_cfg": {"input_size": [3, 16, 16], "num_classes": 4},
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def timm_state() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return timm.create_model("vit_tiny_patch16_224", num_classes=4, **SMALL_VIT).state_dict()


def make_gpt2(directory: Path) -> Path:
    from tokenizers import Tokenizer, models  # noqa: PLC0415

    directory.mkdir()
    config = tr.GPT2Config(
        vocab_size=16, n_embd=8, n_layer=1, n_head=1, n_positions=8, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        tr.GPT2Model(config).save_pretrained(directory)
    words = {"<unk>": 0, "a": 1}
    tr.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>"))  # noqa: S106
    ).save_pretrained(directory)
    return directory


def pickle_weights(directory: Path, state: dict[str, torch.Tensor]) -> Path:
    (directory / "model.safetensors").unlink(missing_ok=True)
    torch.save(state, directory / "pytorch_model.bin")
    return directory


def test_pickles_are_opened_on_request_only(tmp_path: Path) -> None:
    gpt2 = make_gpt2(tmp_path / "gpt2")
    safe = load_encoder(str(gpt2), cpu())
    state = tr.AutoModel.from_pretrained(gpt2).state_dict()
    for directory in (
        pickle_weights(make_timm(tmp_path / "vit"), timm_state()),
        pickle_weights(gpt2, state),
    ):
        with pytest.raises(ModelError, match=r"pickle \(pytorch_model\.bin\).*--allow-pickle"):
            load_encoder(str(directory), cpu())
        load_encoder(str(directory), cpu(allow_pickle=True))
    pickled = load_encoder(str(gpt2), cpu(allow_pickle=True))
    np.testing.assert_array_equal(
        safe.encode([safe.prepare("a")]), pickled.encode([pickled.prepare("a")])
    )


def test_safetensors_win_over_a_pickle_beside_them(tmp_path: Path) -> None:
    directory = make_timm(tmp_path / "vit")
    save_file(timm_state(), directory / "model.safetensors")
    (directory / "pytorch_model.bin").write_bytes(b"not even a pickle")
    encoder = load_encoder(str(directory), cpu())
    twin = load_encoder(str(directory), cpu(random_init=1))
    image = Image.effect_noise((20, 20), 50).convert("RGB")
    np.testing.assert_array_equal(
        encoder.encode([encoder.prepare(image)]), twin.encode([twin.prepare(image)])
    )


@pytest.mark.parametrize("make", [make_timm])
def test_no_weights_is_called_that(make: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no weights in its directory; .*--random-init"):
        load_encoder(str(make(tmp_path / "tiny")), cpu())


def test_remote_code_runs_on_request_only(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')\n")
    config = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    tr.PreTrainedTokenizerFast.from_pretrained(make_gpt2(tmp_path / "gpt2")).save_pretrained(
        tmp_path
    )
    with pytest.raises(ModelError, match=r"its code is in its repository.*--trust-remote-code"):
        load_encoder(f"hf:{tmp_path}", cpu())


# Identity


def test_a_directory_is_named_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here, there = (make_timm(tmp_path / place / "vit") for place in ("here", "there"))
    for directory in (here, there):
        save_file(timm_state(), directory / "model.safetensors")
    (there / "README.md").write_text("words")
    (there / ".cache").mkdir()
    (there / ".cache" / "record.json").write_text("{}")
    one, two = (load_encoder(str(d), cpu()).recipe for d in (here, there))
    assert one == two
    assert one.source == "vit"
    assert str(tmp_path) not in one.to_json()
    state = timm_state()
    state["norm.bias"][0] += 1e-3
    save_file(state, there / "model.safetensors")
    changed = load_encoder(str(there), cpu()).recipe
    assert [d.partition(":")[0] for d in one.differences(changed)] == ["revision"]


def test_files_cannot_trade_places_unnoticed(tmp_path: Path) -> None:
    for name, contents in (("x", ("1", "2")), ("y", ("2", "1"))):
        (tmp_path / name).mkdir()
        for file, content in zip(("a.json", "b.json"), contents, strict=True):
            (tmp_path / name / file).write_text(content)
    assert content_revision(tmp_path / "x") != content_revision(tmp_path / "y")


# The hub


@pytest.mark.parametrize("name", ["vit-l", "gpt2", "minilm", "hf:someone/model"])
def test_no_hub_is_an_error_within_seconds_that_says_how_to_fetch(name: str) -> None:
    repository = {
        "vit-l": "timm/vit_large_patch16_224.augreg_in21k",
        "gpt2": "openai-community/gpt2",
        "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    }.get(name, "someone/model")
    start = time.monotonic()
    with pytest.raises(ModelError) as error:
        load_encoder(name, cpu())
    assert time.monotonic() - start < SECONDS
    message = str(error.value)
    assert message.startswith(
        f"{name}: cannot get the repository {repository}: the hub cannot be reached"
    )
    assert f"`hf download {repository}`" in message
    assert "HF_HUB_OFFLINE=1" in message
    assert "\n" not in message


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(hub, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: released.wait(60))
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"gpt2: .*no answer within"):
        load_encoder("gpt2", cpu())
    assert time.monotonic() - start < SECONDS
    released.set()


def test_offline_mode_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(ModelError, match=r"gpt2: .*HF_HUB_OFFLINE is set, and it is not cached"):
        load_encoder("gpt2", cpu())


def cache(tmp_path: Path, repository: str, make: Callable[[Path], Path]) -> Path:
    """Lay a model out as the hub's cache does."""
    root = tmp_path / "cache" / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    (root / "snapshots").mkdir()
    return make(root / "snapshots" / COMMIT)


def test_without_a_hub_the_cache_serves_and_its_commit_is_recorded(tmp_path: Path) -> None:
    cache(tmp_path, "openai-community/gpt2", make_gpt2)
    recipe = load_encoder("gpt2", cpu()).recipe
    assert (recipe.source, recipe.revision) == ("openai-community/gpt2", COMMIT)
    assert (recipe.model, recipe.weights) == ("gpt2", "pretrained")


def test_half_a_download_is_not_taken_for_a_model(tmp_path: Path) -> None:
    snapshot = cache(tmp_path, "openai-community/gpt2", make_gpt2)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="the cache lacks the weights of it; fetch it"):
        load_encoder("gpt2", cpu())
    index = {"weight_map": {"wte.weight": "model-00001-of-00002.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"lacks model-00001-of-00002\.safetensors of it"):
        load_encoder("gpt2", cpu())
    assert load_encoder("gpt2", cpu(random_init=0)).recipe.revision == COMMIT


class Hub:
    """A hub that answers, and notes what it was asked."""

    def __init__(self, files: list[str], directory: Path) -> None:
        self.files, self.directory = files, directory
        self.asked: list[str | None] = []
        self.patterns: list[str] = []
        self.revision = ""

    def model_info(self, _repository: str, *, revision: str | None, timeout: float) -> Any:
        assert timeout < SECONDS
        self.asked.append(revision)
        return SimpleNamespace(
            sha=COMMIT, siblings=[SimpleNamespace(rfilename=file) for file in self.files]
        )

    def snapshot_download(self, _repository: str, **kwargs: Any) -> str:
        self.patterns, self.revision = kwargs["allow_patterns"], kwargs["revision"]
        return str(self.directory)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], Path], Hub]:
    def start(files: list[str], directory: Path) -> Hub:
        answering = Hub(files, directory)
        monkeypatch.setattr(
            huggingface_hub.HfApi,
            "model_info",
            lambda _self, *a, **k: answering.model_info(*a, **k),
        )
        monkeypatch.setattr(huggingface_hub, "snapshot_download", answering.snapshot_download)
        return answering

    return start


def test_the_commit_that_the_hub_resolved_is_fetched_and_recorded(
    online: Callable[[list[str], Path], Hub], tmp_path: Path
) -> None:
    files = ["config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx", "code.py"]
    answering = online(files, make_gpt2(tmp_path / "gpt2"))
    recipe = load_encoder("hf:someone/gpt2", cpu(revision="main")).recipe
    assert answering.asked == ["main"]
    assert answering.revision == recipe.revision == COMMIT
    assert recipe.source == "someone/gpt2"
    assert "model.safetensors" in answering.patterns
    assert not {"pytorch_model.bin", "*.py", "*.bin"} & set(answering.patterns)


def test_a_repository_of_pickles_is_refused_before_it_is_fetched(
    online: Callable[[list[str], Path], Hub], tmp_path: Path
) -> None:
    answering = online(["config.json", "pytorch_model.bin"], tmp_path)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*--allow-pickle"):
        load_encoder("open-llama-3b", cpu())
    assert not answering.patterns


def test_an_untrained_twin_fetches_no_weights(
    online: Callable[[list[str], Path], Hub], tmp_path: Path
) -> None:
    answering = online(["config.json", "pytorch_model.bin"], make_gpt2(tmp_path / "gpt2"))
    recipe = load_encoder("gpt2", cpu(random_init=3)).recipe
    assert recipe.weights == "random-init:seed=3"
    assert not [p for p in answering.patterns if "safetensors" in p or "bin" in p]


def test_a_registered_timm_twin_needs_no_hub() -> None:
    recipe = load_encoder("vit-ti", cpu(random_init=0)).recipe
    assert len(recipe.layers) == 12
    assert recipe.source == "timm/vit_tiny_patch16_224.augreg_in21k"


@pytest.mark.parametrize(
    ("status", "error"), [(404, "RepositoryNotFoundError"), (403, "GatedRepoError")]
)
def test_a_hub_that_says_no_is_quoted(
    status: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = getattr(huggingface_hub.errors, error)
    response = SimpleNamespace(status_code=status, headers={}, request=None)

    def refuse(*_: object, **__: object) -> Any:
        raise kind(f"{status} Client Error\n\nmore", response=response)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(
        ModelError, match=rf"gemma-2b: the hub refuses .*{status} Client Error; check"
    ):
        load_encoder("gemma-2b", cpu())


def test_a_link_to_a_directory_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "0_Transformer").mkdir()
    (tmp_path / "0_Transformer" / "modules.json").write_text("[]")
    (tmp_path / "minilm").symlink_to(tmp_path / "0_Transformer", target_is_directory=True)
    assert load.resolve(str(tmp_path / "minilm"))[1].model == "minilm"
    assert load.resolve(str(tmp_path / "0_Transformer" / "..") + "/minilm")[1].model == "minilm"
