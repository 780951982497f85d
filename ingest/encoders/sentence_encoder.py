"""Sentence encoders of sentence-transformers: the transformer inside, every hidden state.

A sentence-transformers package is a transformers model with settings beside it: how long a text may be, what is put
before it, how tokens are pooled. Those settings are read here and the modules above the transformer (projections,
normalisation) are not opened: they come after the last hidden state. The mean of the last state equals the package's
own ``encode()`` up to its normalisation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ingest.encoders.transformers_encoder import TextSettings, build, checkpoint
from ingest.encoders.weights import read_json
from vdb.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.encoders.base import EncoderOptions, Target
    from ingest.encoders.transformers_encoder import TransformersEncoder

_TRANSFORMER = ".Transformer"
_POOLING = ".Pooling"
_MODE_NAMES = {"cls": "cls", "mean": "mean", "lasttoken": "last"}
_MODE_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
_SETTINGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
)


def load(target: Target, options: EncoderOptions) -> TransformersEncoder:
    """Load a sentence-transformers model by its repository or its local directory.

    Raises
    ------
    ModelError
        The model cannot be had, does not begin with a transformer, or has no such pooling.
    """
    found = checkpoint(target, options)
    modules = _modules(found.directory, target.model)
    subfolder = _path_of(modules, _TRANSFORMER)
    if subfolder is None or modules[0].get("path", "") != subfolder:
        first = modules[0].get("type", "nothing") if modules else "nothing"
        raise ModelError(
            f"{target.model}: this sentence-transformers package begins with {first}, not with a transformer; "
            "only transformers have layers to read"
        )
    settings = _settings(found.directory, subfolder, modules, target.model)
    return build(target, options, found, settings, "sentence-transformers", subfolder)


def _modules(directory: Path, name: str) -> list[dict[str, Any]]:
    """Read modules.json; a plain transformer repository without one is a transformer alone."""
    path = directory / "modules.json"
    if not path.exists():
        return [{"path": "", "type": _TRANSFORMER}]
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{name}: {directory.name}/modules.json is not JSON: {error}") from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise ModelError(f"{name}: {directory.name}/modules.json is not a list of modules")
    return modules


def _path_of(modules: list[dict[str, Any]], suffix: str) -> str | None:
    for module in modules:
        if str(module.get("type", "")).endswith(suffix):
            return str(module.get("path", ""))
    return None


def _settings(
    directory: Path, subfolder: str, modules: list[dict[str, Any]], name: str
) -> TextSettings:
    transformer: dict[str, Any] = {}
    for file in _SETTINGS:
        if (directory / subfolder / file).exists():
            transformer = read_json(directory / subfolder / file, name)
            break
    package: dict[str, Any] = {}
    if (directory / "config_sentence_transformers.json").exists():
        package = read_json(directory / "config_sentence_transformers.json", name)
    prompts = package.get("prompts") or {}
    return TextSettings(
        pooling=_own_pooling(directory, modules, name),
        max_length=transformer.get("max_seq_length"),
        prompt=str(prompts.get(package.get("default_prompt_name"), "") or ""),
        lower_case=bool(transformer.get("do_lower_case", False)),
    )


def _own_pooling(directory: Path, modules: list[dict[str, Any]], name: str) -> str | None:
    """Return the package's own pooling, where it is one of ours."""
    path = _path_of(modules, _POOLING)
    if path is None or not (directory / path / "config.json").exists():
        return None
    config = read_json(directory / path / "config.json", name)
    mode = config.get("pooling_mode")  # since sentence-transformers 6; one flag a mode before
    if mode is not None:
        return _MODE_NAMES.get(mode) if isinstance(mode, str) else None
    modes = [mode for key, mode in _MODE_FLAGS.items() if config.get(key)]
    return modes[0] if len(modes) == 1 else None
