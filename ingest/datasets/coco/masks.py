"""What COCO's files of masks have in common: images, categories, and annotations of the former by the latter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ingest.datasets.base import one_each
from ingest.datasets.coco.sections import Section, read_document, refuse_dangling
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class MaskFile:
    """An instances or a panoptic file, all of it checked but the masks themselves.

    Attributes
    ----------
    file : str
        Its name.
    listed : Section
        The entries of its images.
    images : pl.DataFrame
        What it lists: ``image_id``, ``file``, ``height``, ``width``, ``source``, ``index``; each image once.
    owners : pl.Series
        The image of each annotation.
    annotations : Section
    categories : pl.DataFrame
        ``category_id``, ``category``, ``is_thing``.
    """

    file: str
    listed: Section
    images: pl.DataFrame
    owners: pl.Series
    annotations: Section
    categories: pl.DataFrame

    @classmethod
    def read(cls, path: Path, what: str, prefix: str, *, all_things: bool) -> MaskFile:
        """Read a file.

        Parameters
        ----------
        path : Path
        what : str
            What it should be, for messages: "COCO instances file".
        prefix : str
            Put before each image id.
        all_things : bool
            Take a category without ``isthing`` for one of things, as those of instances are.
        """
        document = read_document(path, what)
        listed, annotations = document.section("images"), document.section("annotations")
        images = pl.DataFrame(
            {
                "image_id": listed.ids("id", prefix),
                "index": pl.int_range(len(listed.entries), eager=True),
                "file": listed.texts("file_name"),
                "height": listed.sides("height"),
                "width": listed.sides("width"),
                "source": pl.Series(listed.sources(), dtype=pl.String),
            }
        )
        owners = annotations.ids("image_id", prefix)
        refuse_dangling(owners, images["image_id"], annotations)
        section = document.section("categories")
        categories = pl.DataFrame(
            {
                "category_id": section.ids("id"),
                "category": section.ids("name"),
                "is_thing": section.flags("isthing", default=True if all_things else None),
                "source": pl.Series(section.sources(), dtype=pl.String),
            }
        )
        return cls(
            path.name,
            listed,
            one_each(images, "image_id", ["file", "height", "width"]),
            owners,
            annotations,
            one_each(categories, "category_id", ["category", "is_thing"]),
        )

    def where(self, index: int, field: str) -> str:
        """Name an image, by its ``index``, or a field of it."""
        return self.listed.where(index, field)

    def of(self, image_ids: pl.Series) -> list[int]:
        """Return which annotations are of some images."""
        return self.owners.is_in(image_ids.implode()).arg_true().to_list()

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the height and width of each image."""
        rows = self.images.select("image_id", "height", "width").iter_rows()
        return {image: (height, width) for image, height, width in rows}


class Gathered:
    """Rows of ``segments`` as they are made, and what there is to tell of those that are not."""

    def __init__(self, masks: MaskFile, section: Section, segmentation: str) -> None:
        """Read what the entries of ``section`` say besides the masks.

        Raises
        ------
        InputError
            An entry's category is not listed, its id unfit.
        """
        self._section = section
        self._rows: list[tuple[int, str, int, int, str]] = []
        self._empty: list[int] = []
        entries = pl.DataFrame(
            {
                "index": pl.int_range(len(section.entries), dtype=pl.UInt32, eager=True),
                "segment_id": section.ids("id", f"{segmentation}:"),
                "category_id": section.ids("category_id"),
                "is_crowd": section.flags("iscrowd", default=False),
                "source": pl.Series(section.sources(), dtype=pl.String),
            }
        )
        entries = entries.with_columns(segmentation=pl.lit(segmentation))
        known = masks.categories.drop("source")
        self._entries = entries.join(known, on="category_id", how="left", maintain_order="left")
        unknown = self._entries["category"].is_null().arg_true()
        if len(unknown):
            where = section.where(unknown[0], "category_id")
            raise InputError(
                f"{where} is {entries['category_id'][unknown[0]]!r}, which no entry of categories has"
            )

    def take(self, index: int, image_id: str, size: tuple[int, int], counts: str) -> None:
        """Take the mask of an entry in; an empty one covers no pixel."""
        if counts:
            self._rows.append((index, image_id, *size, counts))
        else:
            self._empty.append(index)

    def frame(self) -> pl.DataFrame:
        """Return the columns of ``segments`` but ``dataset``.

        Raises
        ------
        InputError
            Two masks of an image have one id.
        """
        schema = {
            "index": pl.UInt32,
            "image_id": pl.String,
            "height": pl.Int32,
            "width": pl.Int32,
            "counts": pl.String,
        }
        rows = pl.DataFrame(self._rows, schema=schema, orient="row")
        rows = rows.join(self._entries, on="index", how="left", maintain_order="left")
        return self._once(rows).drop("index", "category_id")

    def _once(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.unique(
            set(rows.columns) - {"index", "source"}, keep="first", maintain_order=True
        )
        again = rows.filter(pl.struct("image_id", "segment_id").is_duplicated())
        if again.height:
            one = again.row(0, named=True)
            same = again.filter(image_id=one["image_id"], segment_id=one["segment_id"])
            raise InputError(
                f"{self._section.where(same['index'][1], 'id')} is that of another mask too, "
                f"{same['source'][0]}; give one of them another id"
            )
        return rows

    def notices(self) -> Iterable[str]:
        """Say which masks were left out, as they cover nothing."""
        if self._empty:
            first = self._section.where(self._empty[0])
            yield f"{len(self._empty)} masks that cover no pixel were left out, the first: {first}"


def left_out(masks: MaskFile, what: str, kept: Sequence[int], of_each: Sequence[int]) -> list[str]:
    """Say how many masks are of images that are not in the data set.

    Parameters
    ----------
    masks : MaskFile
    what : str
        What the masks are called: "instance masks".
    kept : sequence of int
        The annotations that are of the data set.
    of_each : sequence of int
        How many masks each annotation holds.

    Raises
    ------
    InputError
        All of them are, and so the file is another data set's.
    """
    others = np.ones(len(of_each), dtype=bool)
    others[np.asarray(kept, dtype=int)] = False
    if not others.any():
        return []
    if not len(kept):
        raise InputError(
            f"{masks.file}: none of its {masks.images.height} images is in the data set; is it of other photos?"
        )
    images = masks.owners.filter(pl.Series(others)).n_unique()
    count = int(np.asarray(of_each)[others].sum())
    return [
        f"{masks.file}: {count} {what} of {images} images that are not in the data set were left out"
    ]
