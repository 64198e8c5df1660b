"""What a task's outlet assets are told of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Asset

WATERMARK = "latest_completion_date"
"""The key of an asset's state, and of the extra of its event, with the greatest completion date in RFC 3339, UTC."""


def tell(outlets: Iterable[Any], context: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Put a dataset into the events of the outlet assets, and its watermark into their state.

    Assets have a state since Airflow 3.3; its watermark only moves on, and not by a dataset that was cut short.

    :param summary: the dataset's summary.
    """
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    events, states = context.get("outlet_events"), context.get("asset_state_store")
    for asset in assets:
        if events is not None:
            events[asset].extra.update({name: summary[name] for name in ("uri", "records", WATERMARK)})
        if states is not None and summary["complete"]:
            _move_on(states[asset], summary[WATERMARK])


def _move_on(state: Any, latest: str | None) -> None:
    before = state.get(WATERMARK)
    if latest is not None and (before is None or datetime.fromisoformat(before) < datetime.fromisoformat(latest)):
        state.set(WATERMARK, latest)
