"""Hugging Face data sets: a row an image, captions, or both, streamed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.datasets.files import Root
from ingest.datasets.hf.load import open_hf
from ingest.datasets.streams import (
    MAX_BROKEN,
    Basket,
    Tally,
    caption_id_of,
    digest,
    image_id_of,
)
from ingest.sources import read_bytes
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ingest.datasets.base import Batch
    from ingest.datasets.hf.load import Opened

FIELDS = ("image", "image_id", "caption", "caption_id", "concept_id")
"""What a row can say; each is read from the column of its name unless ``mapping`` names another."""

_NO_IMAGE = "{} rows have no image; what captions they have are added"
_BROKEN = "left out {} images that are none; what captions they have are added"
_BLANK = "left out {} captions that are blank"


def hf(
    source: str | Path,
    *,
    split: str | None = None,
    mapping: Mapping[str, str] | None = None,
    limit: int | None = None,
    streaming: bool = True,
    max_broken: int = MAX_BROKEN,
    name: str | None = None,
    prefix: str = "",
) -> Iterator[Batch]:
    """Read a data set through the ``datasets`` library, row by row.

    A caption is text or a list of texts, each paired with the row's image. Without an ``image_id`` an image's id is
    made of its content and concept, without a ``caption_id`` a caption's of its image's id, its concept and its text.
    A class label stands for its name. Images that the data set holds itself, and those of the hub, are taken into the
    store; those that are files under a local directory are named by their paths.

    Parameters
    ----------
    source : str or path
        A directory, or a name on the hub; see :func:`ingest.datasets.hf.load.open_hf`.
    split : str, optional
        Needed where there are several.
    mapping : mapping of field to column, optional
        Which columns hold :data:`FIELDS`.
    limit : int, optional
        Read only so many rows.
    streaming : bool
        False downloads a data set of the hub first.
    max_broken : int
        So many images may be none, by their first bytes; their rows are captions alone, and counted.
    name : str, optional
        The data set's name in the store; the last part of ``source`` unless given.
    prefix : str
        Put before each image and caption id. Concepts keep their names.

    Raises
    ------
    NotFoundError
        No such directory, data set, split, field or column.
    InputError
        A cell that is not what its field wants; the message names split and row. Batches yielded before stay good.
    """
    opened = open_hf(source, split, streaming=streaming)
    chosen = _choose(opened.columns, mapping or {}, str(source))
    dataset = name or (opened.directory.name if opened.directory else str(source).split("/")[-1])
    reader = _Reader(
        Basket(dataset),
        Tally(max_broken),
        prefix,
        Root(opened.directory) if opened.directory else None,
    )
    index = -1
    for index, row in enumerate(islice(opened.read(chosen), limit)):
        reader.take(row, f"{dataset} {opened.split}[{index}]")
        if reader.basket.full:
            yield reader.basket.emptied()
    if index < 0:
        raise InputError(f"{source}: the split {opened.split} has no rows")
    if not reader.basket.empty:
        yield reader.basket.emptied()
    unused = [column for column in opened.columns if column not in chosen.values()]
    yield reader.tally.last(_advice(opened, chosen, unused))


def _advice(opened: Opened, chosen: Mapping[str, str], unused: Sequence[str]) -> Iterator[str]:
    """Tell which columns were not read, and how those would be that are likely to be wanted."""
    if unused:
        yield f"columns that were not used: {', '.join(unused)}"
    labels = [column for column in unused if column in opened.class_labels]
    if labels and "concept_id" not in chosen:
        yield f"{labels[0]} holds class names: --map concept_id={labels[0]} makes concepts of them"
    if unused and "caption" not in chosen:
        yield "no column is read as captions: --map caption=COLUMN says which"


def _choose(header: tuple[str, ...], mapping: Mapping[str, str], source: str) -> dict[str, str]:
    """Say which column each field is read from."""
    for field, column in mapping.items():
        if field not in FIELDS:
            raise NotFoundError.named("field", field, FIELDS)
        if column not in header:
            raise NotFoundError.named("column", column, header, place=f"in {source}")
    chosen = {
        field: mapping.get(field, field) for field in FIELDS if field in mapping or field in header
    }
    if "image" not in chosen and "caption" not in chosen:
        raise InputError(
            f"{source}: no column image and none caption, only {', '.join(header) or 'nothing'}; say which is which: "
            "--map image=COLUMN"
        )
    return chosen


@dataclass(frozen=True, slots=True)
class _Reader:
    basket: Basket
    tally: Tally
    prefix: str
    root: Root | None

    def take(self, row: Mapping[str, Any], where: str) -> None:
        """Put what a row says into the basket, once all of it is known to be good."""
        concept = _identity(row.get("concept_id"), f"{where}: concept_id")
        captions = self._captions(row, where)
        image = self._image(row, concept, where) if "image" in row else None
        image_id = image["image_id"] if image else None
        if concept is not None:
            self.basket.put("concepts", where, concept_id=concept, name=concept)
        if image:
            data = image.pop("data", None)
            if data is None:
                self.basket.put("images", where, **image, concept_id=concept)
            else:
                self.basket.put_content(
                    data, image.pop("sha256"), where, **image, concept_id=concept
                )
        for given, text in captions:
            caption_id = (
                caption_id_of(image_id, concept, text, prefix=self.prefix)
                if given is None
                else self.prefix + given
            )
            self.basket.put("captions", where, caption_id=caption_id, text=text, concept_id=concept)
            if image_id:
                self.basket.put("pairs", where, image_id=image_id, caption_id=caption_id)

    def _captions(self, row: Mapping[str, Any], where: str) -> list[tuple[str | None, str]]:
        """Return each caption with its id, where the row gives one."""
        texts, ids = _as_list(row.get("caption")), _as_list(row.get("caption_id"))
        if ids and len(ids) != len(texts):
            raise InputError(f"{where}: {len(texts)} captions, but {len(ids)} caption ids")
        kept = []
        for text, given in zip(texts, ids or [None] * len(texts), strict=True):
            if text is not None and not isinstance(text, str):
                raise InputError(f"{where}: caption is {_kind(text)}; it must be text")
            if text is None or not text.strip():
                self.tally.count(_BLANK, where)
            else:
                kept.append((_identity(given, f"{where}: caption_id"), text))
        return kept

    def _image(
        self, row: Mapping[str, Any], concept: str | None, where: str
    ) -> dict[str, Any] | None:
        """Return an image's columns, and its bytes where they have no file of their own."""
        data, path = _parts(row["image"], f"{where}: image")
        if data is None and path is None:
            self.tally.count(_NO_IMAGE, where)
            return None
        uri = None
        if data is None and path is not None:
            uri, data = self._file(path, f"{where}: image")
        if self.tally.image_is_broken(_BROKEN, data or b"", f"{where}: image"):
            return None
        sha256 = hashlib.sha256(data or b"").hexdigest()
        given = _identity(row.get("image_id"), f"{where}: image_id")
        if given is None:  # one picture in two classes is an exemplar of each
            content = sha256 if concept is None else digest(sha256, concept)
            image_id = image_id_of(content, self.prefix)
        else:
            image_id = self.prefix + given
        place = {"data": data} if uri is None else {"uri": uri}
        return {"image_id": image_id, "sha256": sha256, **place}

    def _file(self, path: str, where: str) -> tuple[str | None, bytes]:
        """Read an image that lies beside the data set; its uri is None where that is no lasting place."""
        from huggingface_hub import HfFileSystem, constants  # noqa: PLC0415 - few data sets need it

        if "::" in path and "://" in path:  # zip://1.jpg::/photos.zip
            raise InputError(
                f"{where}: {path!r} lies in an archive; unpack it and name the directory"
            )
        try:
            if self.root is not None:
                uri = self.root.locate(path)
                return uri, read_bytes(uri)
            if path.startswith("hf://"):
                return None, bytes(HfFileSystem().cat_file(path))
            return None, read_bytes(Root(Path(constants.HF_HOME)).locate(path))
        except (InputError, NotFoundError) as error:
            raise InputError(f"{where}: {error}") from error
        except Exception as error:
            raise InputError(f"{where}: {path} cannot be read: {error}") from error


def _parts(cell: Any, where: str) -> tuple[bytes | None, str | None]:  # noqa: ANN401 - a cell
    """Return an image's bytes, else its path."""
    if cell is None:
        return None, None
    if isinstance(cell, dict) and {"bytes", "path"} >= cell.keys():
        return cell.get("bytes"), cell.get("path")
    if isinstance(cell, bytes):
        return cell, None
    if isinstance(cell, str):
        return None, cell
    raise InputError(f"{where} is {_kind(cell)}; it must be an image, its bytes or its path")


def _identity(value: Any, where: str) -> str | None:  # noqa: ANN401 - a cell
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where} is {_kind(value)}; it must be text or a whole number")


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401 - a cell
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _kind(value: Any) -> str:  # noqa: ANN401 - a cell
    return f"of type {type(value).__name__}"
