"""``vdb add``: data sets into the store."""

from __future__ import annotations

from cli.add import folders, manifest, photos, streams, trials
from cli.add.common import app

__all__ = ["app", "folders", "manifest", "photos", "streams", "trials"]
