"""The metrics by name. To add one: write its pure function, wrap it as a ``Compute``, and enter it in ``METRICS``."""

from __future__ import annotations

from analyses.metrics.metric import ChosenMetric, Metric
from analyses.metrics.neighbours.maps import CKNNA, CYCLE_KNN, MUTUAL_KNN
from analyses.metrics.pairs.maps import CKA, RSA
from analyses.metrics.ridge.maps import LINEAR_PREDICTIVITY, R2
from analyses.metrics.subspaces.maps import CCA, PWCCA, SVCCA
from analyses.metrics.subspaces.procrustes import PROCRUSTES
from analyses.metrics.subspaces.soft_matching import SOFT_MATCHING
from vdb.errors import NotFoundError
from vdb.settings import read_settings

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        LINEAR_PREDICTIVITY,
        R2,
        MUTUAL_KNN,
        CYCLE_KNN,
        CKNNA,
        CKA,
        RSA,
        PROCRUSTES,
        CCA,
        SVCCA,
        PWCCA,
        SOFT_MATCHING,
    )
}
"""Every metric that can be asked for, by its name."""


def choose_metric(written: str) -> ChosenMetric:
    """Read a metric with settings: ``NAME``, or ``NAME:SETTING=VALUE:...``.

    >>> choose_metric("mutual-knn:k=5").name
    'mutual-knn:k=5'
    >>> choose_metric("mutual-knn:k=10").name
    'mutual-knn'

    Raises
    ------
    NotFoundError
        There is no such metric or setting; near misses are suggested.
    InputError
        A setting is malformed or out of range, or stands twice.
    """
    name = written.partition(":")[0]
    if name not in METRICS:
        raise NotFoundError.named("metric", name, METRICS)
    metric = METRICS[name]
    return ChosenMetric(metric, read_settings("metric", written, metric.parameters))
