"""What a model's directory holds, and whether it may be opened: safetensors yes, pickles and code on request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ingest.encoders.identity import PICKLED_WEIGHTS, SAFE_WEIGHTS
from vdb.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.encoders.base import EncoderOptions


def weight_files(directory: Path, model: str, options: EncoderOptions) -> list[Path]:
    """List the weight files that may be opened, safetensors before pickles.

    Raises
    ------
    ModelError
        There are none, or only pickles and they were not allowed.
    """
    files = sorted(p for p in directory.iterdir() if p.is_file())
    safe = [p for p in files if p.suffix in SAFE_WEIGHTS]
    if safe:
        return sorted(safe, key=lambda p: (p.stem != "model", p.name))
    pickled = [p for p in files if p.suffix in PICKLED_WEIGHTS and p.name != "training_args.bin"]
    if not pickled:
        raise ModelError(
            f"{model}: no weights in its directory; it needs a model.safetensors "
            "(or --random-init SEED for the untrained architecture)"
        )
    if not options.allow_pickle:
        raise ModelError(refused_pickle(model, pickled[0].name))
    return pickled


def refused_pickle(model: str, file: str) -> str:
    """Say that a pickle is not opened, and how to have it opened."""
    return (
        f"{model}: its weights are a pickle ({file}), which can run code when it is opened; convert them to "
        "safetensors, or allow it with --allow-pickle (EncoderOptions(allow_pickle=True))"
    )


def read_json(path: Path, model: str) -> dict[str, Any]:
    """Read a model's JSON file.

    Raises
    ------
    ModelError
        It is not there, or is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{model}: no {path.name} in the directory {path.parent.name!r}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{model}: {path.parent.name}/{path.name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{model}: {path.parent.name}/{path.name} holds no JSON object")
    return value
