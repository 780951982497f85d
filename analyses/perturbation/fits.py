"""How a map meets what is altered: fitted on the originals and transferred, or fitted again.

Three words in the column ``fit``: ``transfer``, a map of the originals applied to altered held-out rows; ``refit``, a
map fitted and scored on altered rows; ``recomputed``, any other metric, for which transfer is not defined, as it is on
altered rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from analyses.matching import check_choice
from vdb.errors import InputError

if TYPE_CHECKING:
    from analyses.metrics import ChosenMetric

Fit = Literal["both", "transfer", "refit"]

TRANSFER, REFIT, RECOMPUTED = "transfer", "refit", "recomputed"

_TRANSFERRED = "linear-predictivity"


def fits(metric: ChosenMetric, asked: Fit) -> tuple[str, ...]:
    """Return what the column ``fit`` will hold.

    Raises
    ------
    NotFoundError
        There is no such fit.
    InputError
        Transfer alone was asked of a metric, or of settings, for which it is not defined.
    """
    check_choice("fit", asked, get_args(Fit))
    why = _not_transferred(metric)
    again = REFIT if metric.metric.name == _TRANSFERRED else RECOMPUTED
    if why is None:
        return {"both": (TRANSFER, again), "transfer": (TRANSFER,), "refit": (again,)}[asked]
    if asked == "transfer":
        raise InputError(f"{metric.name}: {why}; ask for --fit refit")
    return (again,)


def _not_transferred(metric: ChosenMetric) -> str | None:
    if metric.metric.name != _TRANSFERRED:
        return f"transfer is defined for {_TRANSFERRED} alone"
    defaults = metric.metric.parameters
    other = [name for name, value in metric.settings.items() if value != defaults[name].default]
    if other:
        return f"transfer is of the default settings, one alpha by leave-one-out, not of {', '.join(other)}"
    return None
