"""From an item of a plan to each of its variants: whatever several of them need is read and worked out once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from PIL import Image

from ingest.images import decode, verify_content
from ingest.pipeline.masks import Masks, segments_of
from ingest.sources import Sources
from ingest.variants.base import ImageItem, Inapplicable, TextItem
from vdb.errors import InputError, NotFoundError, VdbError
from vdb.lookup import Lookup
from vdb.masks import no_masks
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ingest.pipeline.wanted import Wanted
    from ingest.variants.base import Segment, Token
    from ingest.variants.naming import Chosen
    from vdb.database import Database

    Vocabulary = Mapping[str, tuple[str, ...]]
    Alter = Callable[[Mapping[str, Any]], Iterator[tuple[str, Callable[[], Any]]]]
    """From an item of a plan to its missing variants: each one's name, and what makes it or raises why not."""

T = TypeVar("T")


def altering(
    db: Database,
    variants: Sequence[Wanted],
    vocabularies: Mapping[str, Mapping[str, Vocabulary]] | None = None,
) -> Alter:
    """Make the function that alters the items of a plan; safe in threads.

    Parameters
    ----------
    db : Database
    variants : sequence of Wanted
        All of one modality.
    vocabularies : mapping, optional
        Variant -> data set -> vocabulary, for those that need one.
    """
    if variants[0].modality == "image":
        return _ImageAltering(db, variants)
    return _TextAltering(db, variants, vocabularies or {})


def reason_of(error: Exception) -> str:
    """Say in one line why something could not be had."""
    message = " ".join(str(error).split())
    return message if isinstance(error, VdbError) else f"{type(error).__name__}: {message}"


class _Once(Generic[T]):
    """What is made when it is first asked for, and kept; so is the reason why it cannot be made."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._reason: str | None = None  # not the error: its traceback would hold the image

    def __call__(self) -> T:
        if self._reason is None and not self._made:
            try:
                self._made.append(self._make())
            except Exception as error:  # noqa: BLE001 - raised below, for each who asks
                self._reason = reason_of(error)
        if self._reason is not None:
            raise InputError(self._reason)
        return self._made[0]


class _ImageAltering:
    def __init__(self, db: Database, variants: Sequence[Wanted]) -> None:
        self._variants = {one.name: one for one in variants}
        self._sources = Sources(db)
        self._segmentations = {one.masks.segmentation for one in variants if one.masks is not None}
        self._masks = Masks(db) if self._segmentations else None
        self._ready = _ready(db, variants, "image_variants", "image_id")

    def __call__(self, item: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
        image = _Once(partial(self._decoded, item["uri"], item["sha256"]))
        rows = _Once(partial(self._mask_rows, item["item_id"]))
        segments = {one: _Once(partial(_segments, rows, image, one)) for one in self._segmentations}
        for name in item["variants"]:
            yield name, partial(self._made, name, item["item_id"], image, rows, segments)

    def _made(
        self,
        name: str,
        item_id: str,
        image: _Once[Image.Image],
        rows: _Once[list[dict[str, Any]]],
        segments: Mapping[str, _Once[tuple[Segment, ...]]],
    ) -> Image.Image:
        wanted = self._variants[name]
        if wanted.chosen is None:
            return image() if name == ORIGINAL else self._ready_made(name, item_id)
        if wanted.masks is None:
            return _image(wanted.chosen, ImageItem(item_id, image().copy()))
        asked = wanted.masks.segmentation
        there = sorted({row["segmentation"] for row in rows()})
        if asked not in there:  # before anything is decoded
            instead = wanted.with_masks(there[0]) if there else ""
            raise Inapplicable(no_masks(asked, there, instead))
        return _image(wanted.chosen, ImageItem(item_id, image().copy(), segments[asked]()))

    def _decoded(self, uri: str, sha256: str) -> Image.Image:
        data = self._sources.read(uri)
        verify_content(data, sha256)
        return decode(data)

    def _mask_rows(self, image_id: str) -> list[dict[str, Any]]:
        return [] if self._masks is None else self._masks.rows(image_id)

    def _ready_made(self, name: str, item_id: str) -> Image.Image:
        return self._decoded(*_ready_row(self._ready, item_id, name, ("uri", "sha256")))


def _segments(
    rows: _Once[list[dict[str, Any]]], image: _Once[Image.Image], segmentation: str
) -> tuple[Segment, ...]:
    mine = [row for row in rows() if row["segmentation"] == segmentation]
    return segments_of(mine, image().size)


class _TextAltering:
    def __init__(
        self,
        db: Database,
        variants: Sequence[Wanted],
        vocabularies: Mapping[str, Mapping[str, Vocabulary]],
    ) -> None:
        self._variants = {one.name: one for one in variants}
        self._vocabularies = vocabularies
        self._ready = _ready(db, variants, "caption_variants", "caption_id")
        # Several variants may share a tagger, and some may have another.
        self._taggers = {
            one.tagger.identity: one.tagger for one in variants if one.tagger is not None
        }

    def __call__(self, item: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], str]]]:
        tokens = {
            identity: _Once(partial(_tagged, tagger.tag, item["text"]))
            for identity, tagger in self._taggers.items()
        }
        for name in item["variants"]:
            yield name, partial(self._made, name, item, tokens)

    def _made(
        self, name: str, item: Mapping[str, Any], tokens: Mapping[str, _Once[tuple[Token, ...]]]
    ) -> str:
        wanted, item_id, text = self._variants[name], item["item_id"], str(item["text"])
        if wanted.chosen is None:
            return (
                text if name == ORIGINAL else _ready_row(self._ready, item_id, name, ("text",))[0]
            )
        words: Vocabulary = (
            self._vocabularies[name][item["dataset"]] if wanted.needs("vocabulary") else {}
        )
        tagged = (
            tokens[wanted.tagger.identity]()
            if wanted.tagger is not None and wanted.needs("tagger")
            else ()
        )
        return _text(wanted.chosen, TextItem(item_id, text, tagged, words))


def _tagged(tag: Callable[[str], Sequence[Token]], text: str) -> tuple[Token, ...]:
    return tuple(tag(text))


def _image(chosen: Chosen, item: ImageItem) -> Image.Image:
    made = _applied(chosen, item)
    if not isinstance(made, Image.Image) or made.mode != "RGB" or 0 in made.size:
        what = f"a {made.mode} image" if isinstance(made, Image.Image) else type(made).__name__
        raise InputError(f"the variant gave {what}, not an RGB image")
    return made


def _text(chosen: Chosen, item: TextItem) -> str:
    made = _applied(chosen, item)
    if not isinstance(made, str) or not made.strip():
        what = "an empty text" if isinstance(made, str) else f"{type(made).__name__}, not a text"
        raise InputError(f"the variant gave {what}")
    return made


def _applied(chosen: Chosen, item: ImageItem | TextItem) -> Any:  # noqa: ANN401 - checked by the callers
    try:
        return chosen.apply(item)
    except Inapplicable:
        raise
    except Exception as error:
        raise InputError(f"the variant failed on it: {reason_of(error)}") from error


def _ready(db: Database, variants: Sequence[Wanted], table: str, column: str) -> Lookup | None:
    return Lookup(db.table(table), column) if any(one.ready_made for one in variants) else None


def _ready_row(
    lookup: Lookup | None, item_id: str, name: str, columns: tuple[str, ...]
) -> tuple[str, ...]:
    rows = [] if lookup is None else lookup.rows(item_id, ["variant", *columns]).to_pylist()
    for row in rows:
        if row["variant"] == name:
            return tuple(row[column] for column in columns)
    raise NotFoundError(f"no ready-made {name!r} of it is in the store any more")
