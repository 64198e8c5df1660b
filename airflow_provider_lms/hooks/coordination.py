"""The store that the tasks of this Airflow share, as set by ``[lms] coordination_url``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import conf

from airflow_provider_lms.coordination import CoordinationError, Store

_FILE = "lms_coordination.sqlite"
_REDIS = ("redis", "rediss", "unix")
_EXPECTED = "[lms] coordination_url: expected local, file:///absolute/path, redis://, rediss:// or unix://."
_ONE_HOST = ("LocalExecutor", "SequentialExecutor", "DebugExecutor")


def shared_store() -> Store:
    """The store that ``[lms] coordination_url`` names; ``local`` is a file in the Airflow home.

    :raises CoordinationError: the URL names no store, or its client is not installed.
    """
    url = conf.get("lms", "coordination_url", fallback="local").strip() or "local"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise CoordinationError(_EXPECTED) from None
    if parts.scheme in _REDIS:
        from airflow_provider_lms.coordination.redis import RedisStore

        return RedisStore(url)
    from airflow_provider_lms.coordination.local import LocalStore

    if url == "local":
        return LocalStore(_local_file())
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/") and "%00" not in parts.path:
        return LocalStore(Path(unquote(parts.path)))
    raise CoordinationError(_EXPECTED)


def host_store(store: Store) -> Store | None:
    """Where processes of this host remember what a store on another host may forget; None if it is on this one."""
    if not store.across_hosts:
        return None
    from airflow_provider_lms.coordination.local import LocalStore

    return LocalStore(_local_file())


def _local_file() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / _FILE


def single_host_warning(store: Store) -> str | None:
    """What to do if tasks run on several hosts that do not share the store; None if they all share it."""
    if store.across_hosts:
        return None
    executors = conf.get("core", "executor", fallback="LocalExecutor")
    names = [
        name.rpartition("=")[2].rpartition(":")[2].rpartition(".")[2].strip() for name in re.split("[,;]", executors)
    ]
    distributed = ", ".join(name for name in names if name not in _ONE_HOST)
    if not distributed:
        return None
    return (
        f"{distributed} may run tasks on several hosts. Each host would count requests separately and use its own "
        "access tokens. Set [lms] coordination_url to a Redis server."
    )
