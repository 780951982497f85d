"""Flickr8k: photos, their captions, and what experts said of how well captions fit other photos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.base import (
    Batch,
    caption_frame,
    check_texts,
    frame,
    frame_of_none,
    image_frame,
    one_each,
    pair_frame,
    prefixed,
)
from ingest.datasets.files import Root, hash_files, locate_all
from ingest.datasets.image_formats import SUFFIXES
from ingest.datasets.json_text import read_text
from ingest.datasets.trials.ids import comes_first, derived_id
from vdb.errors import InputError
from vdb.schema import TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdb.progress import Progress

_CAPTION_ID = re.compile(r"(?P<image>.+)#\d+", re.DOTALL)
_JUDGES = 3
_BEST = 4  # scores are 1, "unrelated", to 4, "describes the image"


def flickr8k(
    images_dir: str | Path,
    captions_file: str | Path,
    *,
    judgements_file: str | Path | None = None,
    split_file: str | Path | None = None,
    name: str | None = None,
    prefix: str = "",
    progress: Progress | None = None,
) -> Iterator[Batch]:
    """Read Flickr8k's files and the photos they name, as one batch.

    An image's id is its file's name, a caption's what the captions file calls it: ``1022454332_6af2c1449a.jpg#0``.

    Of the judgements come trials: a caption, and each pair of images that were judged for it and whose mean scores
    differ. The image with the higher one is the preferred; which of the two is candidate 0 is told by a hash of the
    three ids, so that the order gives nothing away.

    Parameters
    ----------
    images_dir : path
        The folder of the photos.
    captions_file : path
        ``Flickr8k.token.txt``: ``image.jpg#n<TAB>caption`` a line.
    judgements_file : path, optional
        ``ExpertAnnotations.txt``: an image, a caption's id and three scores from 1 to 4, parted by tabs.
    split_file : path, optional
        Names of the images to keep, one a line, with their captions, and judgements where both are kept.
    name : str, optional
        The dataset's name in the store; "flickr8k" unless given.
    prefix : str
        Put before each image, caption and trial id.
    progress : Progress, optional
        Who hears how many files are hashed.

    Raises
    ------
    NotFoundError
        A file or the folder is not there.
    InputError
        A malformed line, an image or a caption that is not there, one judged twice. File and line are named, and
        nothing is yielded.
    """
    root, dataset = Root(Path(images_dir)), name or "flickr8k"
    captions, strange = _read_captions(Path(captions_file))
    known = captions
    if split_file is not None:
        captions = _kept(captions, Path(split_file))
    images = captions.unique("image_id", keep="first", maintain_order=True)
    where = images["source"].__getitem__
    paths = locate_all(root, images["image_id"].to_list(), where)
    hashes = hash_files(paths, where, progress)
    trials, notices = frame_of_none("trials"), strange
    if judgements_file is not None:
        judged = _read_judgements(Path(judgements_file), known)
        trials, told = _trials(judged, captions, dataset, prefix)
        notices += told
    caption_ids = prefixed(captions["caption_id"], prefix, captions["source"].__getitem__)
    yield Batch(
        images=image_frame(
            prefixed(images["image_id"], prefix, where),
            uri=paths,
            sha256=hashes,
            dataset=dataset,
            source=images["source"],
        ),
        captions=caption_frame(
            caption_ids, text=captions["caption"], dataset=dataset, source=captions["source"]
        ),
        pairs=pair_frame(
            prefix + captions["image_id"], caption_ids, dataset=dataset, source=captions["source"]
        ),
        trials=trials,
        notices=tuple(notices),
    )


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, with its place."""
    for number, line in enumerate(read_text(file).split("\n"), 1):
        line = line.removesuffix("\r")  # noqa: PLW2901 - the same line
        if line and not line.isspace():
            yield line, f"{file.name}:{number}"


def _read_captions(file: Path) -> tuple[pl.DataFrame, list[str]]:
    """Read ``caption_id``, ``image_id``, ``caption``, ``source``; and what there is to tell."""
    rows: list[tuple[str, str, str, str]] = []
    strange: list[str] = []
    for line, where in _lines(file):
        caption_id, tab, caption = line.partition("\t")
        parts = _CAPTION_ID.fullmatch(caption_id)
        if not tab or not parts:
            raise InputError(f"{where}: {line[:60]!r} is not image.jpg#n, a tab and a caption")
        # The published file has five captions of "2258277193_586949ec62.jpg.1", which is no photo.
        if Path(parts["image"]).suffix.lower() not in SUFFIXES:
            strange.append(f"{where}, {caption_id}")
        else:
            rows.append((caption_id, parts["image"], caption, where))
    if not rows:
        raise InputError(f"{file.name}: there are no captions in it")
    columns = ["caption_id", "image_id", "caption", "source"]
    captions = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    check_texts(captions["caption"], captions["source"].__getitem__)
    notices = []
    if strange:
        notices.append(
            f"{len(strange)} captions are of what is not called like an image and were left out, "
            f"the first: {strange[0]}"
        )
    return one_each(captions, "caption_id", ["caption"]), notices


def _kept(captions: pl.DataFrame, file: Path) -> pl.DataFrame:
    """Keep the captions of the images that a file names."""
    named = {line.strip(): where for line, where in _lines(file)}
    unknown = named.keys() - set(captions["image_id"])
    for image, where in named.items():
        if image in unknown:
            raise InputError(
                f"{where}: no caption is of {image!r} ({len(unknown)} such images of {len(named)})"
            )
    if not named:
        raise InputError(f"{file.name}: it names no image")
    return captions.filter(pl.col("image_id").is_in(list(named)))


@dataclass(frozen=True, slots=True)
class _Judgement:
    image_id: str
    scores: tuple[int, ...]
    where: str


def _read_judgements(file: Path, captions: pl.DataFrame) -> dict[str, list[_Judgement]]:
    """Read what was said of each caption."""
    known = set(captions["caption_id"])
    images = set(captions["image_id"])
    seen: dict[tuple[str, str], str] = {}
    judged: dict[str, list[_Judgement]] = {}
    for line, where in _lines(file):
        image_id, _, rest = line.partition("\t")
        caption_id, *scores = rest.split("\t")
        fits = len(scores) == _JUDGES and all(score in {"1", "2", "3", "4"} for score in scores)
        if not fits:
            raise InputError(
                f"{where}: {line[:80]!r} is not an image, a caption's id and {_JUDGES} scores from 1 to {_BEST}, "
                "parted by tabs; is this ExpertAnnotations.txt?"
            )
        if caption_id not in known:
            raise InputError(f"{where}: no caption is called {caption_id!r}")
        if image_id not in images:
            raise InputError(f"{where}: no caption is of the image {image_id!r}")
        before = seen.setdefault((image_id, caption_id), where)
        if before != where:
            raise InputError(f"{where}: this image and caption were judged at {before} already")
        judged.setdefault(caption_id, []).append(
            _Judgement(image_id, tuple(map(int, scores)), where)
        )
    if not judged:
        raise InputError(f"{file.name}: there are no judgements in it")
    return judged


def _trials(
    judged: dict[str, list[_Judgement]], captions: pl.DataFrame, name: str, prefix: str
) -> tuple[pl.DataFrame, list[str]]:
    """Make a trial of each two images of a caption, and say which judgements and pairs make none."""
    ids, images = set(captions["caption_id"]), set(captions["image_id"])
    rows: list[dict[str, object]] = []
    dropped = ties = 0
    for caption_id, judgements in judged.items():
        kept = [one for one in judgements if caption_id in ids and one.image_id in images]
        dropped += len(judgements) - len(kept)
        for one, other in combinations(kept, 2):
            if sum(one.scores) == sum(other.scores):
                ties += 1
            else:
                rows.append(_trial(caption_id, one, other, name, prefix))
    notices = []
    if dropped:
        notices.append(
            f"{dropped} judgements are of images or captions that were not kept, and left out"
        )
    if ties:
        notices.append(f"{ties} pairs of images have the same mean score and make no trial")
    trials = frame("trials", pl.DataFrame(rows).to_dict()) if rows else frame_of_none("trials")
    return trials, notices


def _trial(
    caption_id: str, one: _Judgement, other: _Judgement, name: str, prefix: str
) -> dict[str, object]:
    one, other = sorted((one, other), key=lambda judgement: judgement.image_id)
    named = (caption_id, one.image_id, other.image_id)
    first, second = (one, other) if comes_first(*named) else (other, one)
    ahead = sum(first.scores) - sum(second.scores)
    return {
        "trial_id": prefix + derived_id("judged", *named),
        "direction": TEXT_TO_IMAGE,
        "query_id": prefix + caption_id,
        "candidate_0": prefix + first.image_id,
        "candidate_1": prefix + second.image_id,
        "label": float(ahead > 0),
        "weight": 1.0,
        "gap": abs(ahead) / _JUDGES,
        "scores_0": list(map(float, first.scores)),
        "scores_1": list(map(float, second.scores)),
        "dataset": name,
        "source": f"{one.where} and {other.where}",
    }
