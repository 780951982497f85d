"""One self-contained page: pictures, findings beside their controls, and where every number comes from."""

from __future__ import annotations

from analyses.report.finding import Finding
from analyses.report.findings import findings, summary
from analyses.report.page import Scene, Section, write_report
from analyses.report.store import newest, report_of
from analyses.twins import random_twins, untrained_spaces

__all__ = [
    "Finding",
    "Scene",
    "Section",
    "findings",
    "newest",
    "random_twins",
    "report_of",
    "summary",
    "untrained_spaces",
    "write_report",
]
