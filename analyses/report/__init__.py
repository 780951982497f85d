"""One self-contained page: pictures, findings beside their controls, and where every number comes from."""

from __future__ import annotations

from analyses.report.findings import Finding, findings, summary
from analyses.report.page import Scene, Section, write_report

__all__ = ["Finding", "Scene", "Section", "findings", "summary", "write_report"]
