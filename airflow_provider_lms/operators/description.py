"""What a task's dataset holds, as its manifest and its log say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms.listing.filters import IdFilter
from airflow_provider_lms.operators.subject import describe_subject
from airflow_provider_lms.storage.dataset import Description

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.projection import Projection
    from airflow_provider_lms.lms.listing.spec import Listing


def describe(
    client: LmsClient, listing: Listing[Any], parameters: Mapping[str, object], projection: Projection | None
) -> Description:
    """What the dataset of a listing holds and where it comes from.

    :param parameters: those of the listing, as rendered.
    :param projection: what is done to its columns, if anything is.
    """
    query = {name: _to_json(value) for name, value in parameters.items() if value is not None}
    whole = Description(
        resource=listing.name,
        record=listing.record,
        primary_key=listing.key,
        watermark=listing.record.watermark,
        schema_version=listing.version,
        host=client.base_url,
        query=query,
        # Keys of splits and continuations stand for people by these credentials, so with others they mean nobody.
        details=[client.disguise("credentials")],
        subject=describe_subject(listing, parameters),
    )
    if projection is None:
        return whole
    personal = {each.name for each in listing.filters if isinstance(each, IdFilter) and each.personal}
    return replace(
        whole,
        record=projection.record,
        primary_key=listing.key if projection.has(*listing.key) else (),
        watermark=whole.watermark if projection.keeps(whole.watermark) else None,
        query=projection.redact(query, personal),
        details=[whole.details, query, projection.choice, projection.key_id],
        hash_key_id=projection.key_id,
    )


def _to_json(value: Any) -> Any:
    """A parameter as the manifest's JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_to_json(item) for item in value]
    return value
