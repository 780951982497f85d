"""Opening a data set with the ``datasets`` library, which is an extra: quietly, and with errors of one line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from logging import CRITICAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

_ANSWER_WITHIN = 8.0  # seconds; the library itself tries again for half a minute
_INSTALL = "pip install 'vdb[hf]'"


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set of which one split can be read.

    Attributes
    ----------
    rows : datasets.Dataset or datasets.IterableDataset
    split : str
    columns : tuple of str
    directory : Path or None
        Where it lies on this machine; None for one of the hub.
    class_labels : tuple of str
        The columns of class labels.
    """

    rows: Any
    split: str
    columns: tuple[str, ...]
    directory: Path | None
    class_labels: tuple[str, ...] = ()

    def read(self, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield each row as field -> value, images as they are encoded and class labels by their names.

        Parameters
        ----------
        columns : mapping of field to column

        Raises
        ------
        InputError
            The library cannot go on; the message names the row.
        """
        datasets = _library()
        rows = self.rows.select_columns(list(dict.fromkeys(columns.values())))
        features = rows.features or {}
        names = {}
        for column, feature in features.items():
            if isinstance(feature, datasets.Image):
                rows = rows.cast_column(column, datasets.Image(decode=False))
            elif isinstance(feature, datasets.ClassLabel):
                names[column] = feature.names
        index = 0
        try:
            for row in rows:
                yield {
                    field: _named(row.get(column), names.get(column))
                    for field, column in columns.items()
                }
                index += 1
        except (InputError, NotFoundError):
            raise
        except Exception as error:
            raise InputError(f"{self.split}[{index}] cannot be read: {_one_line(error)}") from error


def open_hf(source: str | Path, split: str | None, *, streaming: bool) -> Opened:
    """Open a data set by directory or name.

    Parameters
    ----------
    source : str or path
        A directory of Parquet, Arrow, CSV, JSON or image files; one that ``save_to_disk`` wrote; or a name on the hub.
    split : str, optional
        Needed where there are several.
    streaming : bool
        False downloads a data set of the hub into the library's cache first; so does HF_HUB_OFFLINE, which reads what
        is cached.

    Raises
    ------
    NotFoundError
        No such directory, data set or split.
    InputError
        ``datasets`` is not installed or cannot read it, the hub cannot be reached, several splits and none chosen.
    """
    datasets = _library()
    directory = Path(source).absolute() if Path(source).is_dir() else None
    try:
        if directory is None:
            found = _from_hub(datasets, str(source), streaming=streaming)
        elif (directory / "state.json").exists() or (directory / "dataset_dict.json").exists():
            found = datasets.load_from_disk(str(directory))
        else:
            found = datasets.load_dataset(str(directory), streaming=True)
        rows, chosen = _split_of(found, split, str(source))
        columns = tuple(rows.column_names or next(iter(rows.take(1)), {}))
    except (InputError, NotFoundError):
        raise
    except Exception as error:
        raise InputError(f"{source}: `datasets` cannot read it: {_one_line(error)}") from error
    labels = [
        column
        for column, feature in (rows.features or {}).items()
        if isinstance(feature, datasets.ClassLabel)
    ]
    return Opened(rows, chosen, columns, directory, tuple(labels))


def _library() -> ModuleType:
    from huggingface_hub.utils import logging  # noqa: PLC0415 - only the hub needs it

    try:
        datasets = import_module("datasets")  # seconds of imports
    except ModuleNotFoundError as error:
        raise InputError(
            f"reading Hugging Face data sets needs the package {error.name!r}: {_INSTALL}"
        ) from error
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(CRITICAL)  # what goes wrong is raised, and said here in one line
    logging.set_verbosity(CRITICAL)  # of the hub, which the library asks
    return datasets


def _from_hub(datasets: ModuleType, name: str, *, streaming: bool) -> Any:  # noqa: ANN401 - untyped
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - only the hub needs it
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError  # noqa: PLC0415 - as above

    if Path(name).is_file():
        raise InputError(
            f"{name} is a file: name its directory, or add a table with `vdb add manifest`"
        )
    offline = constants.HF_HUB_OFFLINE or datasets.config.HF_HUB_OFFLINE
    if offline:
        try:
            return datasets.load_dataset(name)
        except Exception as error:
            raise NotFoundError(
                f"{name} is no directory here, HF_HUB_OFFLINE is set, and it is not cached ({_one_line(error)}); "
                "load it beforehand where the hub can be reached, with --no-streaming"
            ) from error
    try:
        HfApi().dataset_info(name, timeout=_ANSWER_WITHIN)
    except (HFValidationError, RepositoryNotFoundError) as error:
        raise NotFoundError(
            f"{name} is no directory here, and the hub has no data set of that name that this account may read"
        ) from error
    except Exception as error:
        raise InputError(
            f"{name} is no directory here, and the hub cannot be asked for it ({_one_line(error)}); check the name and "
            "the network, or set HF_HUB_OFFLINE=1 to read what is cached"
        ) from error
    return datasets.load_dataset(name, streaming=streaming)


def _split_of(found: Any, split: str | None, source: str) -> tuple[Any, str]:  # noqa: ANN401 - untyped
    if not isinstance(found, dict):  # save_to_disk keeps one split as well as several
        name = str(found.split or "train")
        if split not in {None, name}:
            raise NotFoundError.named("split", str(split), [name], place=f"in {source}")
        return found, name
    if split is None and len(found) > 1:
        raise InputError(
            f"{source} holds several splits: {', '.join(map(str, found))}; choose one with --split"
        )
    chosen = split or str(next(iter(found)))
    if chosen not in found:
        raise NotFoundError.named("split", chosen, map(str, found), place=f"in {source}")
    return found[chosen], chosen


def _named(value: Any, names: list[str] | None) -> Any:  # noqa: ANN401 - a cell
    """Give a class its name; -1 is how a row without a class is written."""
    if names is None or value is None:
        return value
    return names[value] if value >= 0 else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
