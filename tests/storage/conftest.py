"""Where the tests of this folder write: on a disk, and in object stores.

``LMS_STORES=s3,azure,gcs`` runs them all in these stores. By default they write to a disk, and only the tests of the
stores themselves need one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.storage import stores
from tests.storage.place import Place, on_disk
from tests.storage.stores import BUCKET, NotInstalled, Store

WANTED: list[Any] = os.environ.get("LMS_STORES", "").split(",") if os.environ.get("LMS_STORES") else []
GetStore = Callable[[str], Store]


@pytest.fixture(scope="session")
def get_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GetStore]:
    """A running store by name, with a connection of that name. Each is started once."""
    running: dict[str, Store] = {}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())

        def get(name: str) -> Store:
            if name not in running:
                try:
                    running[name] = stack.enter_context(stores.running(name, tmp_path_factory.mktemp(name)))
                except NotInstalled as error:
                    stores.or_skip(error, wanted=name in WANTED)
                patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(running[name].connection))
            return running[name]

        yield get


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.stores) for name in stores.ALL])
def store_name(request: pytest.FixtureRequest) -> str:
    """Each object store in turn."""
    return str(request.param)


@pytest.fixture
def store(store_name: str, get_store: GetStore) -> Store:
    """Each object store in turn, running."""
    return get_store(store_name)


@pytest.fixture
def in_store(store: Store, store_name: str, tmp_path: Path) -> Place:
    """An empty folder in each object store in turn."""
    return place_in(store, store_name, tmp_path)


@pytest.fixture(params=WANTED or ["disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty folder: on a disk, or in the stores of ``LMS_STORES``."""
    if request.param == "disk":
        return on_disk(tmp_path)
    get_store: GetStore = request.getfixturevalue("get_store")
    return place_in(get_store(request.param), request.param, tmp_path)


def place_in(store: Store, name: str, tmp_path: Path) -> Place:
    # A test's own folder, although tests of several workers may share a name.
    folder = f"{tmp_path.parent.name}-{tmp_path.name}"
    return Place(store.url(name, folder), store.connect(), f"{BUCKET}/{folder}")


@pytest.fixture
def bucket(get_store: GetStore) -> Any:
    """The S3 server's files as others see them."""
    return get_store("s3").connect()


@pytest.fixture
def output(get_store: GetStore, tmp_path: Path) -> str:
    """A folder on the S3 server."""
    return get_store("s3").url("s3", tmp_path.name)
