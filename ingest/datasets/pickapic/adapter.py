"""Pick-a-Pic: prompts, two generated images for each, and which of them a person preferred."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from ingest.datasets.pickapic.files import incomplete, parquet_places
from ingest.datasets.pickapic.rows import read_rows
from ingest.datasets.pickapic.stored import Judgement
from ingest.datasets.streams import (
    MAX_BROKEN,
    Basket,
    Tally,
    caption_id_of,
    digest,
    image_id_of,
)
from vdb.errors import InputError
from vdb.schema import TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.datasets.base import Batch
    from ingest.datasets.pickapic.rows import Row
    from ingest.datasets.pickapic.stored import Stored

_LABELS = (0.0, 0.5, 1.0)

_ALIKE = "left out {} rows whose are_different is below what was asked for"
_NO_CAPTION = "left out {} rows without a caption"
_NO_IMAGE = "left out {} rows of which an image is missing"
_BROKEN = "left out {} rows with an image that is none"
_STORED = "passed over {} rows that the store has already"
_NO_LABEL = "{} rows have no label: their images and caption are added, but no trial"
_ONE_IMAGE = "{} rows compare an image with itself: it is added, and the caption, but no trial"


def pickapic(
    *sources: str | Path,
    split: str | None = None,
    limit: int | None = None,
    min_different: float = 0.0,
    max_broken: int = MAX_BROKEN,
    stored: Stored | None = None,
    name: str | None = None,
    prefix: str = "",
) -> Iterator[Batch]:
    """Read Pick-a-Pic's Parquet files, version 1 or 2, a few rows at a time.

    Images and captions are told apart by what they hold: one picture under two uids is one image, one text is one
    caption (in a file with a column ``prompt_id``, one for each prompt). Each row is a trial: a caption, two images,
    and the label of the first (1 preferred, 0 not, 0.5 a tie). Its id is the row's ``ranking_id`` and a hash of what
    was compared, as a ranking may have several rows; its judge is ``user_id``. Its weight is
    1 / ``num_example_per_prompt``, as the authors weigh their loss, so that a prompt many people chose for counts no
    more than another.

    Parameters
    ----------
    *sources : path or str
        Files, directories, or data sets of the hub; see :func:`ingest.datasets.pickapic.files.parquet_places`.
    split : str, optional
        Which files of a directory or of the hub: ``validation_unique``.
    limit : int, optional
        Read only so many rows.
    min_different : float
        Take only rows whose ``are_different`` is at least this, true being 1 and false 0: 1 leaves out what the
        authors found to be too alike to choose from. In files that have scores there, any threshold.
    max_broken : int
        So many images may be none, by their first bytes; their rows are left out and counted.
    stored : Stored, optional
        What the store has of this data set. Row groups of which it has every row are passed over, their images unread;
        the rows are counted.
    name : str, optional
        The data set's name in the store; "pickapic" unless given.
    prefix : str
        Put before each image, caption and trial id.

    Raises
    ------
    NotFoundError
        No such file, directory, data set or split.
    InputError
        A damaged file, a column that is missing or of another type, a label that is none, more
        than ``max_broken`` images that are none; the message names file and row. Batches yielded before stay good.
    """
    places = parquet_places(sources, split)
    needed = ("are_different",) if min_different > 0 else ()
    skip = partial(_all_stored, stored, min_different, prefix) if stored is not None else None
    rows = chain.from_iterable(read_rows(place, needed, skip) for place in places)
    basket, tally, read = Basket(name or "pickapic"), Tally(max_broken), 0
    for row in islice(rows, limit):
        read += 1
        _take(row, basket, tally, min_different, prefix)
        if basket.full:
            yield basket.emptied()
    if not read:
        raise InputError(f"{', '.join(place.name for place in places)}: there are no rows")
    if not basket.empty:
        yield basket.emptied()
    yield tally.last(incomplete(places))


def _take(row: Row, basket: Basket, tally: Tally, min_different: float, prefix: str) -> None:
    """Put what a row says into the basket, or note why not."""
    if min_different > 0 and not (row.are_different or 0) >= min_different:
        tally.count(_ALIKE, row.where)
    elif row.caption is None or not row.caption.strip():
        tally.count(_NO_CAPTION, row.where)
    elif row.stored:
        tally.count(_STORED, row.where)
        if not _labelled(row):
            tally.count(_NO_LABEL, row.where)
    elif not row.jpg_0 or not row.jpg_1:
        tally.count(_NO_IMAGE, row.where)
    else:
        # Checked whole before anything is put: a row is taken or refused, never halved.
        label = _label(row) if _labelled(row) else None
        if tally.image_is_broken(_BROKEN, row.jpg_0, f"{row.where}: jpg_0"):
            return
        if tally.image_is_broken(_BROKEN, row.jpg_1, f"{row.where}: jpg_1"):
            return
        caption = _caption_id(row, prefix)
        basket.put("captions", row.where, caption_id=caption, text=row.caption)
        first = _put_image(basket, row.jpg_0, row.image_0_uid, row.where, prefix)
        second = _put_image(basket, row.jpg_1, row.image_1_uid, row.where, prefix)
        if label is None:
            tally.count(_NO_LABEL, row.where)
        elif first == second:
            tally.count(_ONE_IMAGE, row.where)
        else:
            _put_trial(basket, row, label, caption, (first, second), prefix)


def _all_stored(stored: Stored, min_different: float, prefix: str, rows: list[Row]) -> bool:
    """Tell whether a store has all that would come of some rows, which are asked about without their images.

    A row with a trial is known by its place and all that the trial says but its images, a row without one by the uids
    of its images and its caption. What cannot be told so is read again.
    """
    trials: list[Judgement] = []
    uids: list[str] = []
    captions: list[str] = []
    for row in rows:
        alike = min_different > 0 and not (row.are_different or 0) >= min_different
        if alike or row.caption is None or not row.caption.strip():
            continue
        caption = _caption_id(row, prefix)
        if not _labelled(row):
            if not (row.image_0_uid and row.image_1_uid):
                return False
            uids += [row.image_0_uid, row.image_1_uid]
            captions.append(caption)
        elif row.ranking_id is None:
            return False
        else:
            try:
                judged = (_label(row), _weight(row), _judge(row))
            except InputError:
                return False  # told when the row's turn comes
            trials.append(Judgement(row.where, f"{prefix}{row.ranking_id}", caption, *judged))
    return stored.has(trials, uids, captions)


def _caption_id(row: Row, prefix: str) -> str:
    prompt = None if row.prompt_id is None else str(row.prompt_id)
    return caption_id_of(prompt, row.caption, prefix=prefix)


def _judge(row: Row) -> str | None:
    return None if row.user_id is None else str(row.user_id)


def _put_image(basket: Basket, data: bytes, uid: str | None, where: str, prefix: str) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    image_id = image_id_of(sha256, prefix)
    source = f"{where} uid {uid}" if uid else where
    basket.put_content(data, sha256, source, image_id=image_id)
    return image_id


def _put_trial(
    basket: Basket, row: Row, label: float, caption: str, images: tuple[str, str], prefix: str
) -> None:
    judge = _judge(row)
    ranking = "trial" if row.ranking_id is None else str(row.ranking_id)
    compared = digest(caption, *images, str(label), judge)[:16]
    basket.put(
        "trials",
        row.where,
        trial_id=f"{prefix}{ranking}-{compared}",
        direction=TEXT_TO_IMAGE,
        query_id=caption,
        candidate_0=images[0],
        candidate_1=images[1],
        label=label,
        weight=_weight(row),
        judge=judge,
    )


def _labelled(row: Row) -> bool:
    return row.has_label if row.has_label is not None else row.label_0 is not None


def _label(row: Row) -> float:
    if row.label_0 not in _LABELS or row.label_1 != 1 - row.label_0:
        raise InputError(
            f"{row.where}: label_0 is {row.label_0} and label_1 {row.label_1}; they must be 1 and 0, 0 and 1, or "
            "0.5 twice"
        )
    return float(row.label_0)


def _weight(row: Row) -> float:
    if row.num_example_per_prompt is None:
        return 1.0
    if row.num_example_per_prompt < 1:
        raise InputError(
            f"{row.where}: num_example_per_prompt is {row.num_example_per_prompt}; it must be 1 or more"
        )
    return 1 / row.num_example_per_prompt
