"""Run every benchmark and print its ratios: ``python -m benchmarks [--quick] [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.ratio import Ratio

BENCHMARKS = (
    "extraction",
    "ingest_overhead",
    "ingest_memory",
    "add_manifest",
    "read_layer",
    "alignment_map",
    "pairwise_maps",
    "primal",
    "alignment_memory",
    "stored_precision",
)
"""Modules of this package, each with ``main(quick: bool) -> list[Ratio]``, which prints as it goes."""


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: a minute, noisier")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    console = Console()
    ratios: list[Ratio] = []
    for name in options.names or BENCHMARKS:
        console.rule(name)
        ratios += importlib.import_module(f"benchmarks.{name}").main(quick=options.quick)
    console.print(_table(ratios))


def _table(ratios: list[Ratio]) -> Table:
    table = Table(
        "ratio", "median", "quartiles", "goal", "reached", "what bounds it", title="Ratios"
    )
    for r in ratios:
        goal = "" if r.goal is None else f"{'≥' if r.at_least else '≤'} {r.goal:g}"
        reached = "" if r.goal is None else "yes" if r.reached else "no"
        table.add_row(r.name, f"{r.value:.2f}", r.quartiles, goal, reached, r.bound)
    return table


if __name__ == "__main__":
    main()
