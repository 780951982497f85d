"""What a store holds of Pick-a-Pic already, so that a command that is run again need not read those images again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

import vdb
from ingest.datasets.base import columns_of
from vdb.errors import NoStoreError
from vdb.lookup import hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.database import Database

_ENDING = (
    17  # characters of a trial's id after its ranking's: a hyphen, and a hash of what was compared
)
_JUDGEMENT = ("source", "trial_id", "query_id", "label", "weight", "judge")


class Judgement(NamedTuple):
    """What a row says of a trial besides its images; ``ranking`` is all of the trial's id but its last characters."""

    source: str
    ranking: str
    query_id: str
    label: float
    weight: float
    judge: str | None


class Stored:
    """The trials, image uids and captions of a data set by their hashes: 8 bytes each stay in memory.

    A trial that is stored has its caption and images in the store too, as it refers to them.
    """

    def __init__(self, db: Database, dataset: str) -> None:
        def rows(table: str, *columns: str | pl.Expr) -> pl.DataFrame:
            return db.read(table).filter(dataset=dataset).select(*columns).collect()

        trials = rows("trials", *_JUDGEMENT)
        ranking = pl.col("trial_id").str.head(-_ENDING)
        self._trials = _hashes(trials.with_columns(ranking).select(_key()).to_series())
        uid = pl.col("source").str.extract(r" uid (.+)$")
        self._uids = _hashes(rows("images", uid).to_series().drop_nulls())
        self._captions = _hashes(rows("captions", "caption_id").to_series())

    def has(
        self, trials: Sequence[Judgement], uids: Sequence[str], captions: Sequence[str]
    ) -> bool:
        """Tell whether all of these are stored."""
        kinds = columns_of("trials")
        judged = pl.DataFrame(
            trials, schema={name: kinds[name] for name in _JUDGEMENT}, orient="row"
        )
        asked = (
            (judged.select(_key()).to_series(), self._trials),
            (pl.Series(uids, dtype=pl.String), self._uids),
            (pl.Series(captions, dtype=pl.String), self._captions),
        )
        return all(bool(np.isin(hashed(wanted), known).all()) for wanted, known in asked)


def stored_choices(uri: str, dataset: str) -> Stored | None:
    """Return what the store at ``uri`` holds of a data set; None where there is no store."""
    try:
        return Stored(vdb.open(uri), dataset)
    except NoStoreError:
        return None


def _key() -> pl.Expr:
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in _JUDGEMENT]
    return pl.concat_str(parts, separator="\0")  # which stands in no id


def _hashes(values: pl.Series) -> NDArray[np.uint64]:
    return np.unique(hashed(values))
