"""Tells Airflow which listings a hook reads, for lineage."""

from __future__ import annotations

import logging

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import BaseHook

log = logging.getLogger(__name__)


def report_read(hook: BaseHook, uri: str) -> None:
    """Report a listing as an input of the task that runs. Does nothing if nobody collects lineage.

    :param uri: the asset URI of the listing.
    """
    try:
        get_hook_lineage_collector().add_input_asset(context=hook, uri=uri)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001  # no task may fail because of its lineage
        log.warning("Lineage does not show that %s was read (%s).", uri, type(error).__name__)
