"""A store on an object store: a real S3 server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import vdb
from vdb import items as item_tables
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdb.recipe import Recipe

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

pytestmark = pytest.mark.slow


@pytest.fixture
def options() -> Iterator[dict[str, str]]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - the mock takes any
    ).create_bucket(Bucket="bucket")
    try:
        yield {
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
            "aws_region": "us-east-1",
            "aws_endpoint": endpoint,
            "allow_http": "true",
        }
    finally:
        server.stop()


def test_a_store_on_s3_does_what_a_directory_does(
    options: dict[str, str],
    items: Callable[..., dict[str, pl.DataFrame]],
    recipe: Callable[..., Recipe],
    fill: Callable[..., dict[str, np.ndarray]],
) -> None:
    uri = "s3://bucket/study"
    with pytest.raises(NotFoundError, match="no store at s3://bucket/study"):
        vdb.open(uri, storage_options=options)
    db = vdb.open(uri, create=True, storage_options=options)
    assert item_tables.add(db, items(4)).added["images"] == 4
    ids = [f"img-{i}" for i in range(4)]
    vectors = fill(db.create_space("vit-l", recipe(4, 6)), ids[::-1], rows_a_commit=3)

    db = vdb.open(uri, storage_options=options)
    matrix = db.space("vit-l").matrix(-1, ids=ids)
    assert np.array_equal(matrix.values, np.stack([vectors[i][4:] for i in ids]))
    assert np.array_equal(
        db.space("vit-l").matrix(0).values, np.stack([vectors[i][:4] for i in ids])
    )
    dogs = db.images().filter(pl.col("concept_id") == "dog").select("image_id").collect()
    assert sorted(dogs["image_id"]) == ["img-0", "img-2"]
    frame = db.scan("vit-l", layers=[0]).filter(pl.col("image_id") == "img-3").collect()
    assert np.array_equal(frame["layer_00"].to_numpy()[0], vectors["img-3"][:4])
    counted = db.sql("SELECT COUNT(*) AS n FROM \"vit-l\" WHERE variant = 'original'").collect()
    assert counted.item() == 4
    assert db.neighbours("vit-l", layer=0, of="img-0", k=2).height == 2
