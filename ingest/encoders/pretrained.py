"""Models and tokenizers of transformers from a directory: safetensors, complete, and no code but the library's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ingest.encoders.device import TORCH_DTYPES, drawn_from
from ingest.encoders.weights import read_json, weight_files
from vdb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

    from ingest.encoders.base import EncoderOptions


_GENERIC = {"PreTrainedTokenizerFast", "TokenizersBackend"}
"""Tokenizer classes that are their tokenizer.json and nothing else."""


def load_tokenizer(directory: Path, name: str, options: EncoderOptions) -> Any:  # noqa: ANN401 - untyped library
    """Load a directory's tokenizer, set to pad and truncate on the right.

    Raises
    ------
    ModelError
        It cannot be loaded.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast  # noqa: PLC0415 - seconds of imports

    # transformers 5 puts the model type's own tokenizer in the place of a generic one, and with it another
    # splitting of words (seen with Qwen2 and a tokenizer of one's own): what the directory names is what is used.
    generic = (directory / "tokenizer.json").exists() and _tokenizer_class(
        directory, name
    ) in _GENERIC
    kind = PreTrainedTokenizerFast if generic else AutoTokenizer
    try:
        tokenizer = kind.from_pretrained(
            str(directory),
            local_files_only=True,
            trust_remote_code=options.trust_remote_code,
        )
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise ModelError(f"{name}: its tokenizer cannot be loaded: {_one_line(error)}") from error
    tokenizer.padding_side = "right"
    tokenizer.truncation_side = "right"
    return tokenizer


def _tokenizer_class(directory: Path, name: str) -> str | None:
    path = directory / "tokenizer_config.json"
    return read_json(path, name).get("tokenizer_class") if path.exists() else None


def load_model(directory: Path, name: str, options: EncoderOptions) -> nn.Module:
    """Load a directory's model, or draw its untrained twin.

    Raises
    ------
    ModelError
        It is a pickle or has code of its own and these were not allowed, or its weights are not complete.
    """
    from transformers import AutoConfig, AutoModel  # noqa: PLC0415 - seconds of imports

    _refuse_remote_code(directory, name, options)
    common = {"trust_remote_code": options.trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(str(directory), local_files_only=True, **common)
        config.use_cache = False
        if options.random_init is not None:
            with drawn_from(options.random_init):
                return _encoder_half(AutoModel.from_config(config, **common))
        files = weight_files(directory, name, options)
        with drawn_from(None), _no_progress_bar():
            model, info = AutoModel.from_pretrained(
                str(directory),
                config=config,
                local_files_only=True,
                use_safetensors=files[0].suffix == ".safetensors",
                dtype=TORCH_DTYPES[options.dtype],
                output_loading_info=True,
                **common,
            )
    except (OSError, RuntimeError, ValueError, KeyError, ImportError, TypeError) as error:
        raise ModelError(f"{name}: cannot be loaded: {_one_line(error)}") from error
    # A pooler sits on top of the last hidden state; many encoders are published without one.
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    if missing:
        raise ModelError(
            f"{name}: its weights lack {missing[0]} ({len(missing)} in all), which would be drawn at random"
        )
    return _encoder_half(model)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep the library's bar for loading weights off the terminal: progress is the caller's to show."""
    from transformers.utils import logging  # noqa: PLC0415 - seconds of imports

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _encoder_half(model: nn.Module) -> nn.Module:
    """Keep only the encoder of an encoder-decoder: it is what reads a text."""
    if getattr(model.config, "is_encoder_decoder", False):
        return cast("nn.Module", cast("Any", model).get_encoder())
    return model


def _refuse_remote_code(directory: Path, name: str, options: EncoderOptions) -> None:
    from transformers import CONFIG_MAPPING  # noqa: PLC0415 - seconds of imports

    config = read_json(directory / "config.json", name)
    model_type = config.get("model_type")
    if model_type in CONFIG_MAPPING or options.trust_remote_code:
        return
    if "auto_map" in config:
        raise ModelError(
            f"{name}: its code is in its repository, not in transformers; read it, then allow it to run with "
            "--trust-remote-code (EncoderOptions(trust_remote_code=True))"
        )
    raise ModelError(
        f"{name}: transformers knows no model_type {model_type!r} (config.json); update transformers"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
