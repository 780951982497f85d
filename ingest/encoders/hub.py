"""Model repositories on the Hugging Face hub: which commit, which files, and a quick answer when out of reach.

The libraries' own loaders retry for most of a minute when there is no hub. Here the hub is asked one question (which
commit is this, which files has it), with a deadline; without an answer the local cache is used if it is complete.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.encoders.identity import PICKLED_WEIGHTS, SAFE_WEIGHTS
from ingest.encoders.weights import read_json, refused_pickle
from vdb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.encoders.base import EncoderOptions, Target

ANSWER_WITHIN = 8.0
"""Seconds in which the hub must say which commit a revision is."""

_DESCRIPTION = ("*.json", "*.txt", "*.model", "*.jinja")
_OTHER_FORMATS = (
    "onnx/*",
    "openvino/*",
    "original/*",
    "coreml/*",
    "consolidated*",
    "*.msgpack",
    "*.h5",
)
_COMMIT_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit, on this machine."""

    directory: Path
    repository: str
    commit: str


@dataclass(frozen=True, slots=True)
class _Answer:
    commit: str
    files: tuple[str, ...]


def fetch(
    target: Target, repository: str, options: EncoderOptions, *, weights: bool = True
) -> Snapshot:
    """Bring a repository into the local cache, at the commit that its revision means now.

    Parameters
    ----------
    target : Target
        Names the model in errors; its revision is used when the options have none.
    repository : str
        ``owner/name``.
    options : EncoderOptions
    weights : bool
        False fetches configuration and tokenizer only, for an untrained twin.

    Raises
    ------
    ModelError
        The repository or revision does not exist, is gated, holds only pickles, or cannot be reached and is not in
        the cache. Within seconds.
    """
    from huggingface_hub import constants, snapshot_download  # noqa: PLC0415 - only models from the hub need it

    revision = options.revision or target.revision
    if constants.HF_HUB_OFFLINE:
        return _cached(target, repository, revision, weights=weights, why="HF_HUB_OFFLINE is set")
    try:
        answer = _ask(repository, revision)
    except _RefusedError as error:
        at = f" at revision {revision}" if revision else ""
        raise ModelError(
            f"{target.model}: the hub refuses the repository {repository}{at}: {error}; check the name, or if it is "
            "gated accept its licence on the hub and log in with `hf auth login`"
        ) from error
    except _UnreachableError as error:
        return _cached(target, repository, revision, weights=weights, why=str(error))
    patterns = _patterns(target, answer.files, options) if weights else list(_DESCRIPTION)
    if options.trust_remote_code:
        patterns.append("*.py")
    try:
        directory = snapshot_download(
            repository,
            revision=answer.commit,
            allow_patterns=patterns,
            ignore_patterns=list(_OTHER_FORMATS),
        )
    except Exception as error:
        raise ModelError(_explain(target, repository, revision, _first_line(error))) from error
    return Snapshot(Path(directory), repository, answer.commit)


class _RefusedError(Exception):
    """The hub answered, and the answer is no."""


class _UnreachableError(Exception):
    """The hub did not answer in time."""


def _ask(repository: str, revision: str | None) -> _Answer:
    """Ask the hub which commit a revision is, and which files it has."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - only models from the hub need it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415 - as above

    result: list[Any] = []

    def ask() -> None:
        try:
            result.append(
                HfApi().model_info(repository, revision=revision, timeout=ANSWER_WITHIN / 2)
            )
        except Exception as error:  # noqa: BLE001 - handed to the caller, which knows what to do with each
            result.append(error)

    # In a thread because resolving a name has no timeout of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_WITHIN)
    answer = result[0] if result else TimeoutError(f"no answer within {ANSWER_WITHIN:.0f} s")
    if isinstance(answer, HFValidationError):
        raise _RefusedError(_first_line(answer))
    if isinstance(answer, HfHubHTTPError):
        status = getattr(answer.response, "status_code", 0)
        if status in {401, 403, 404}:
            raise _RefusedError(_first_line(answer))
        raise _UnreachableError(f"the hub answered with {status}")
    if isinstance(answer, Exception):
        raise _UnreachableError(f"the hub cannot be reached ({_first_line(answer)})")
    return _Answer(str(answer.sha), tuple(sibling.rfilename for sibling in answer.siblings or ()))


def _patterns(target: Target, files: Sequence[str], options: EncoderOptions) -> list[str]:
    """Choose what to download: descriptions, and one format of weights."""
    weights = [file for file in files if file.endswith((*SAFE_WEIGHTS, *PICKLED_WEIGHTS))]
    top = [file for file in weights if "/" not in file] or weights
    safe = [
        file for file in top if file.endswith(SAFE_WEIGHTS) and not file.startswith("consolidated")
    ]
    pickled = [
        file for file in top if file.endswith(PICKLED_WEIGHTS) and file != "training_args.bin"
    ]
    if safe:
        chosen = ["model.safetensors"] if "model.safetensors" in safe else safe
    elif pickled and not options.allow_pickle:
        raise ModelError(refused_pickle(target.model, pickled[0]))
    else:
        chosen = pickled
    return [*_DESCRIPTION, *chosen]


def _cached(
    target: Target, repository: str, revision: str | None, *, weights: bool, why: str
) -> Snapshot:
    """Find a complete snapshot in the local cache."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only models from the hub need it
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415 - as above

    try:
        directory = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except HFValidationError as error:
        raise ModelError(f"{target.model}: {_first_line(error)}") from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            _explain(target, repository, revision, f"{why}, and it is not cached")
        ) from error
    missing = _missing(directory, target.model, weights=weights)
    if missing:
        raise ModelError(
            _explain(target, repository, revision, f"{why}, and the cache lacks {missing} of it")
        )
    return Snapshot(directory, repository, directory.name)


def _missing(directory: Path, model: str, *, weights: bool) -> str:
    """Name a file that a snapshot needs and does not hold; empty when it is complete."""
    if not (directory / "config.json").exists():
        return "config.json"
    if not weights:
        return ""
    for index in sorted(directory.glob("*.safetensors.index.json")):
        for shard in sorted(set(read_json(index, model).get("weight_map", {}).values())):
            if not (directory / shard).exists():
                return str(shard)
    held = any(p.suffix in (*SAFE_WEIGHTS, *PICKLED_WEIGHTS) for p in directory.iterdir())
    return "" if held else "the weights"


def _explain(target: Target, repository: str, revision: str | None, problem: str) -> str:
    at = f" --revision {revision}" if revision and len(revision) == _COMMIT_DIGITS else ""
    gate = (
        " (gated: accept its licence on the hub and log in with `hf auth login` first)"
        if target.gated
        else ""
    )
    return (
        f"{target.model}: cannot get the repository {repository}: {problem}; fetch it beforehand where the hub can "
        f"be reached, with `hf download {repository}{at}`{gate}, then run with HF_HUB_OFFLINE=1"
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
