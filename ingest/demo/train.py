"""Train the demo's models again: ``python -m ingest.demo.train vision|language --out DIR``.

The shipped weights were made by the defaults. On one idle CPU thread each takes about five to ten minutes.
"""

from __future__ import annotations

import argparse
import logging
from importlib import import_module
from pathlib import Path
from typing import Final

import torch

_MODULES: Final = {
    "vision": "ingest.demo.vision_training",
    "language": "ingest.demo.language_model",
}
_STEPS: Final = {"vision": 1000, "language": 1600}
_ITEMS: Final = {"vision": 20_000, "language": 52_000}


def main() -> None:
    """Parse the command line and train one model."""
    parser = argparse.ArgumentParser(prog="python -m ingest.demo.train", description=__doc__)
    parser.add_argument("model", choices=tuple(_MODULES))
    parser.add_argument("--out", type=Path, required=True, help="directory for the trained model")
    parser.add_argument("--steps", type=int, help="updates of the weights")
    parser.add_argument("--items", type=int, help="scenes or documents to learn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    import_module(_MODULES[arguments.model]).train(
        arguments.out,
        steps=arguments.steps or _STEPS[arguments.model],
        items=arguments.items or _ITEMS[arguments.model],
        seed=arguments.seed,
    )


if __name__ == "__main__":
    main()
