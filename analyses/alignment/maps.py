"""The maps of one pair of spaces and of its controls: whole layers where memory holds them, streamed ones otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import torch

from analyses.alignment.rows import COLUMNS, tidy
from analyses.controls import BAG_OF_WORDS, MISMATCHED, mismatch
from analyses.matching import mean_rows
from analyses.metrics.inference.null import group_permutations, immovable
from analyses.opposites import Opposite, opposite
from analyses.streamed import streamed_maps, too_large
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from analyses.matching import Matched
    from analyses.metrics import ChosenMetric, MetricMap
    from analyses.metrics import Direction as MapDirection
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.recipe import Layer
    from vdb.space import Space

TOGETHER_BYTES = 2**31
"""Memory for the Gram matrices of all language layers and their controls at once."""


class Images:
    """The layers of the vision space that was asked for last: a grid asks for each as often as it has languages."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._space: Space | None = None
        self._layers: list[torch.Tensor] = []

    def of(self, space: Space, rows: Matched) -> list[torch.Tensor]:
        """Return every layer over ``rows``, which are the same in every call."""
        if self._space is not space:
            self._layers = []  # before the next ones are read
            read = mean_rows(space, [[one] for one in rows.image_ids])
            self._layers = [torch.from_numpy(x).to(self._device) for x in read]
            self._space = space
        return self._layers


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, fixed over controls."""

    metric: ChosenMetric
    directions: Sequence[MapDirection] | None
    controls: Sequence[str]
    folds: int
    seed: int
    device: str
    progress: Progress
    permutations: int
    permutations_asked: bool
    controls_asked: bool
    images: Images


def maps_of(
    db: Database, sides: tuple[Space, Space], rows: Matched, question: Question
) -> pl.DataFrame:
    """Compute the maps of a pair of spaces beside its controls, a row a cell."""
    vision, language = sides
    make = _streamed if too_large(rows, vision, language) else _whole
    return (
        pl.concat(make(db, vision, language, rows, question))
        .with_columns(
            vision=pl.lit(vision.name),
            metric=pl.lit(question.metric.name),
            n=pl.lit(len(rows)),
            groups=pl.lit(len(set(rows.groups))),
            unmatched=pl.lit(rows.unmatched),
            folds=pl.lit(question.folds),
            seed=pl.lit(question.seed),
            vision_fingerprint=pl.lit(vision.recipe.fingerprint),
        )
        .select(COLUMNS)
    )


def check_size(vision: Space, language: Space, rows: Matched, question: Question) -> None:
    """Refuse what was asked for by name and cannot be had of layers that are streamed.

    Raises
    ------
    InputError
    """
    if not too_large(rows, vision, language):
        return
    large = _large(vision, language, rows)
    if question.permutations and question.permutations_asked:
        raise InputError(
            f"{large}, which gives no null: ask for none (--permutations 0), or fewer items (--dataset)"
        )
    if BAG_OF_WORDS in question.controls and question.controls_asked:
        raise InputError(
            f"{large}, which the control {BAG_OF_WORDS!r} cannot be: leave it out (--control {MISMATCHED}), or "
            "use fewer items (--dataset)"
        )


def _large(vision: Space, language: Space, rows: Matched) -> str:
    return f"{vision.name} x {language.name}: {len(rows)} rows are streamed from the store"


def _whole(
    db: Database, vision: Space, language: Space, rows: Matched, question: Question
) -> list[pl.DataFrame]:
    opposites = opposite(db, language, rows, question.controls, question.seed, question.device)
    images = question.images.of(vision, rows)
    frames = []
    for together in _passes(opposites, len(rows)):
        every = [layer for one in together for layer in one.values]
        maps = _compute(f"{vision.name} x {language.name}", images, every, rows.groups, question)
        first = 0
        for one in together:
            frames += _named(vision, one.layers, maps, first, one, question)
            first += len(one.layers)
    return frames


def _streamed(
    _: Database, vision: Space, language: Space, rows: Matched, question: Question
) -> list[pl.DataFrame]:
    """Stream the layers, which a metric of all items cannot, nor a control made of texts, nor a permutation."""
    large = _large(vision, language, rows)
    if question.permutations:
        question.progress.say(f"{large}: no null (permutations need all rows at once)")
    if BAG_OF_WORDS in question.controls:
        question.progress.say(f"{large}: without the control {BAG_OF_WORDS!r}")
    own = Opposite(language.name, "none", language.recipe.fingerprint, language.layers, [])
    asked = [(own, rows)]
    if MISMATCHED in question.controls:
        partner = mismatch(rows.groups, question.seed)
        wrong = replace(rows, caption_ids=[rows.caption_ids[i] for i in partner])
        asked.append((replace(own, control=MISMATCHED), wrong))
    frames = []
    for one, pairs in asked:
        with question.progress.task(f"{vision.name} x {language.name}", 100) as task:
            maps = streamed_maps(
                vision,
                language,
                pairs,
                question.metric,
                folds=question.folds,
                seed=question.seed,
                directions=question.directions,
                device=question.device,
                progress=_hundredths(task.advance),
            )
        _tell_dropped(maps, question.progress)
        frames += _named(vision, one.layers, maps, 0, one, question)
    return frames


def _named(
    vision: Space,
    layers: Sequence[Layer],
    maps: dict[str, MetricMap],
    first: int,
    one: Opposite,
    question: Question,
) -> list[pl.DataFrame]:
    highest = question.metric.metric.range[1]
    return [
        tidy(vision.layers, layers, direction, cells, first, highest).with_columns(
            language=pl.lit(one.name),
            control=pl.lit(one.control),
            language_fingerprint=pl.lit(one.fingerprint),
        )
        for direction, cells in maps.items()
    ]


def _passes(opposites: list[Opposite], n: int) -> list[list[Opposite]]:
    """Take all in one pass, which factorises the vision layers once; one by one where memory would not hold that."""
    layers = sum(len(one.layers) for one in opposites)
    if 8 * n * n * layers <= TOGETHER_BYTES:
        return [opposites]
    return [[one] for one in opposites]


def _compute(
    title: str,
    images: list[torch.Tensor],
    texts: list[torch.Tensor],
    groups: list[str],
    question: Question,
) -> dict[str, MetricMap]:
    with question.progress.task(title, 100) as task:
        report = _hundredths(task.advance)
        maps = question.metric.compute(
            images,
            texts,
            groups=groups,
            folds=question.folds,
            seed=question.seed,
            directions=question.directions,
            permutations=_permutations(groups, question),
            progress=report,
        )
        report(1, 1)
    _tell_dropped(maps, question.progress)
    return maps


def _hundredths(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turn what is done of a total into steps of a hundred."""
    told = 0

    def report(done: int, total: int) -> None:
        nonlocal told
        now = 100 * done // total
        advance(now - told)
        told = now

    return report


def _tell_dropped(maps: dict[str, MetricMap], progress: Progress) -> None:
    for direction, cells in maps.items():
        for fact, count in cells.facts.items():
            if fact.startswith("dropped") and count:
                progress.say(f"{direction}: {count} {fact}")


def _permutations(groups: list[str], question: Question) -> NDArray[np.int64] | None:
    if not question.permutations:
        return None
    try:
        drawn = group_permutations(groups, question.permutations, question.seed)
    except InputError as error:
        if question.permutations_asked:
            raise
        question.progress.say(f"no null: {error}")
        return None
    if fixed := immovable(groups):
        question.progress.say(
            f"null: {fixed} of {len(groups)} rows stay in every permutation, in groups of a size that no other has: "
            "p is too high, if anything"
        )
    return drawn
