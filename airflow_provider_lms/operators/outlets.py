"""What the outlet assets of a task hear of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Asset

WATERMARK_KEY = "watermark"
"""The key in an asset's state, and in the extra of its event, of the dataset's watermark in RFC 3339, UTC."""
_IN_EVENTS = ("uri", "records", "schema_version", WATERMARK_KEY, "new_fields", "changed_partitions")


def update_outlets(outlets: Iterable[Any], context: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Add a dataset to the events of the outlet assets, and store its watermark in their state.

    Assets have a state since Airflow 3.3. Its watermark only moves forward, and a dataset that ``max_pages`` cut short
    does not move it. Since then, events also have partitions: those that have changed.

    :param summary: the dataset's summary.
    """
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    events, states = context.get("outlet_events"), context.get("asset_state_store")
    for asset in assets:
        if events is not None:
            _describe(events[asset], summary)
        if states is not None and summary["complete"]:
            _move_watermark(states[asset], summary[WATERMARK_KEY])


def _describe(event: Any, summary: Mapping[str, Any]) -> None:
    event.extra.update({name: summary[name] for name in _IN_EVENTS})
    changed = summary["changed_partitions"]
    if changed and hasattr(event, "add_partitions"):
        event.add_partitions(changed)


def _move_watermark(state: Any, latest: str | None) -> None:
    before = state.get(WATERMARK_KEY)
    if latest is not None and (before is None or datetime.fromisoformat(before) < datetime.fromisoformat(latest)):
        state.set(WATERMARK_KEY, latest)
