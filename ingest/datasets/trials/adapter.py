"""Forced choices of any kind: one a row, in CSV, JSON Lines or Parquet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import (
    Batch,
    caption_frame,
    check_texts,
    frame,
    image_frame,
    one_each,
    pair_frame,
    prefixed,
)
from ingest.datasets.files import root_of
from ingest.datasets.manifest.files import read_rows
from ingest.datasets.manifest.rows import refuse, with_caption_ids, with_content, with_image_ids
from ingest.datasets.trials.ids import derived_id
from ingest.datasets.trials.rows import MEMBERS, TRIALS, directed, judged, unfolded
from vdb.schema import IMAGE_TO_TEXT, TEXT_TO_IMAGE

_SCORES = ("scores_0", "scores_1")

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vdb.progress import Progress


def trials(
    file: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    direction: str | None = None,
    name: str | None = None,
    prefix: str = "",
    root: str | Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read forced choices, and the texts and images that stand in them, as one batch.

    Each of ``query``, ``candidate_0`` and ``candidate_1`` is an item that is known by its id (``query_id``), or a text
    (``query_text``), or an image (``query_path``); with both, the text or image has that id. Without an id an image's
    is its path as written and a text's is a hash of it. Texts and images tell the direction; where there are ids alone,
    other rows of the file may, or a column ``direction``.

    What was preferred is a ``label`` (1: candidate 0, 0: candidate 1, 0.5: a tie) or ``preferred`` (0, 1 or tie).
    Or there are only ``scores_0`` and ``scores_1``, the ratings of each candidate: the one of the higher mean was
    preferred, by a ``gap`` that is the difference. ``weight``, ``gap``, ``judge`` and ``trial_id`` are optional.
    Without a ``trial_id`` it is a hash of the data set's name and all that the row says; rows that say the same are as
    many judgements of the same.

    Or a row is an image (``image_path``, ``image_id`` or both), its ``caption`` and a ``false_caption``. The true
    one is preferred; whether it is candidate 0 or 1 is told by a hash, and it is paired with the image.

    Parameters
    ----------
    file : path
        ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet``; text is UTF-8. An empty cell of CSV says nothing.
    mapping : mapping of field to column, optional
        Which column holds a field, where it is not called so.
    direction : str, optional
        Of rows that hold ids alone and do not say: "text-to-image" or "image-to-text".
    name : str, optional
        The dataset's name in the store; the file's, without its suffix, unless given.
    prefix : str
        Put before each image, caption and trial id.
    root : path or URI, optional
        The folder that paths are relative to and that no path may leave; the file's own unless given.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        There is no such file, field or column.
    InputError
        A malformed row, one that contradicts itself, an unfit id, a missing image, one id for two things, two
        candidates of one content. The message names file and line, and nothing is yielded.
    """
    file = Path(file)
    read = read_rows(file, mapping or {}, TRIALS)
    rows = directed(judged(unfolded(read.frame)), direction)
    folder = root_of(root if root is not None else file.absolute().parent)
    dataset = name or file.stem

    items = _items(rows, prefix)
    captions = one_each(items.filter(pl.col("caption").is_not_null()), "caption_id", ["caption"])
    images = one_each(with_content(items, folder, progress), "image_id", ["sha256"])
    rows = rows.with_columns(
        items.filter(pl.col("member") == member)["item_id"].alias(member) for member in MEMBERS
    )
    _check_candidates(rows, captions, images)
    true = rows.filter(pl.col("truth").is_not_null())
    yield Batch(
        images=image_frame(
            images["image_id"],
            uri=images["uri"],
            sha256=images["sha256"],
            dataset=dataset,
            source=images["source"],
        ),
        captions=caption_frame(
            captions["caption_id"],
            text=captions["caption"],
            dataset=dataset,
            source=captions["source"],
        ),
        pairs=pair_frame(
            true["query"],
            true.select(
                pl.when(pl.col("truth") == "0").then("candidate_0").otherwise("candidate_1")
            ).to_series(),
            dataset=dataset,
            source=true["source"],
        ),
        trials=_trials(rows, dataset, prefix),
        notices=(f"columns that were not used: {', '.join(read.unused)}",) if read.unused else (),
    )


def _items(rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Return the members of all trials, all queries first, each as a manifest's row with its ``item_id``."""
    parts = []
    for member in MEMBERS:
        is_image = pl.col("direction") == (IMAGE_TO_TEXT if member == "query" else TEXT_TO_IMAGE)
        parts.append(
            rows.select(
                pl.lit(member).alias("member"),
                is_image.alias("is_image"),
                pl.col(f"{member}_path").alias("image_path"),
                pl.when(is_image).then(f"{member}_id").alias("image_id"),
                pl.col(f"{member}_text").alias("caption"),
                pl.when(~is_image).then(f"{member}_id").alias("caption_id"),
                (pl.col("truth") == member[-1]).fill_null(value=False).alias("is_true"),
                "source",
            )
        )
    items = pl.concat(parts)
    where = items["source"].__getitem__
    check_texts(items["caption"], where)
    items = items.with_columns(
        prefixed(items["image_id"], prefix, where), prefixed(items["caption_id"], prefix, where)
    )
    items = with_image_ids(items, prefix)
    # A manifest calls a caption by its image and text, and so are true ones here: the same caption, the same id.
    of = pl.concat([items["image_id"][: rows.height]] * len(MEMBERS))
    items = items.with_columns(pl.when("is_true").then(of).otherwise("image_id").alias("image_id"))
    items = with_caption_ids(items, prefix)
    item_id = pl.when("is_image").then("image_id").otherwise("caption_id").alias("item_id")
    return items.with_columns(item_id)


def _check_candidates(rows: pl.DataFrame, captions: pl.DataFrame, images: pl.DataFrame) -> None:
    """Refuse a choice between two of one content: what was preferred would be a coin toss."""
    refuse(rows, pl.col("candidate_0") == pl.col("candidate_1"), "both candidates are the same")
    texts = captions.select(item="caption_id", content=pl.col("caption").str.strip_chars())
    files = images.select(item="image_id", content="sha256")
    for direction, known, complaint in (
        (IMAGE_TO_TEXT, texts, "both candidates are the same text under two ids"),
        (TEXT_TO_IMAGE, files, "both candidates are the same image, byte for byte, under two ids"),
    ):
        choices = rows.filter(pl.col("direction") == direction)
        for candidate in ("candidate_0", "candidate_1"):
            named = known.rename({"content": f"{candidate}_is"})
            choices = choices.join(
                named, left_on=candidate, right_on="item", how="left", maintain_order="left"
            )
        refuse(choices, pl.col("candidate_0_is") == pl.col("candidate_1_is"), complaint)


def _trials(rows: pl.DataFrame, dataset: str, prefix: str) -> pl.DataFrame:
    where = rows["source"].__getitem__
    given = prefixed(rows["trial_id"], prefix, where)
    said = rows.select(
        pl.lit(dataset), "direction", *MEMBERS, "judge", "label", "weight", "gap", *_SCORES
    )
    seen: Counter[tuple[str, ...]] = Counter()
    ids = []
    for row in said.iter_rows():
        parts = tuple("" if value is None else str(value) for value in row)
        seen[parts] += 1
        ids.append(prefix + derived_id("trial", *parts, str(seen[parts])))
    columns = {
        "trial_id": pl.select(pl.coalesce(given, pl.Series(ids, dtype=pl.String))).to_series(),
        "direction": rows["direction"],
        "query_id": rows["query"],
        "dataset": dataset,
    }
    same = ("candidate_0", "candidate_1", "label", "weight", "gap", *_SCORES, "judge", "source")
    return frame("trials", {**columns, **{column: rows[column] for column in same}})
