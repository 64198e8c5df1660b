"""Plans and reports as datasets. The manifest of a plan holds its header, its parts are the changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.storage.dataset import Dataset, Description
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.manifest import load_manifest
from airflow_provider_lms.storage.reader import read_parts
from airflow_provider_lms.storage.source import WholeListing
from airflow_provider_lms.sync.changes import AppliedChange, Change
from airflow_provider_lms.sync.plan import Plan, PlanRefused

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_lms.storage.manifest import TaskInstanceKey
    from airflow_provider_lms.storage.parts import PartOptions

_KEY = ("change_id",)
_PLAN = "_plan"
"""How the name of a plan's listing ends."""


def write_plan(plan: Plan, name: str, location: object, run: TaskInstanceKey, parts: PartOptions) -> dict[str, Any]:
    """Commit a plan to a folder.

    :param name: the parameter that names the folder, for errors.
    :return: the dataset's summary.
    """
    description = Description(
        resource=f"{plan.kind}{_PLAN}",
        record=Change,
        primary_key=_KEY,
        watermark=None,
        host=plan.account,
        query={**plan.header, "sha256": plan.sha256},
    )
    return _write(plan.changes, name, location, run, description, parts)


def plan_folder(plan: object) -> ObjectStoragePath:
    """The folder of a plan.

    :param plan: the folder, or what the task that made the plan has returned.
    :raises ValueError: it is neither.
    """
    return folder("plan", plan.get("plan") if isinstance(plan, Mapping) else plan)


def load_plan(directory: ObjectStoragePath) -> Plan:
    """A plan that was committed.

    :param directory: its folder.
    :raises FileNotFoundError: there is none.
    :raises PlanRefused: this is no plan, or it was changed since.
    """
    try:
        manifest = load_manifest(directory)
    except FileNotFoundError:
        raise FileNotFoundError(f"plan: there is no plan in {directory}. Give the folder that holds it.") from None
    if not manifest.resource.endswith(_PLAN):
        raise PlanRefused(f"plan: {directory} holds {manifest.resource}, and no plan.")
    header = dict(manifest.query)
    written = header.pop("sha256", None)
    try:
        changes = msgspec.convert([*_rows(read_parts(directory, manifest))], list[Change])
        plan = replace(msgspec.convert({**header, "changes": []}, Plan), changes=changes)
    except msgspec.ValidationError as error:
        raise PlanRefused(f"plan: {directory} holds no plan ({error}).") from None
    if plan.sha256 != written:
        raise PlanRefused(f"plan: the plan in {directory} was changed after it was made. Make a new one.")
    return plan


def write_report(
    plan: Plan,
    rows: Sequence[AppliedChange],
    name: str,
    location: object,
    run: TaskInstanceKey,
    parts: PartOptions,
) -> dict[str, Any]:
    """Commit what came of a plan to a folder.

    :return: the dataset's summary.
    """
    description = Description(
        resource=f"{plan.kind}_report",
        record=AppliedChange,
        primary_key=_KEY,
        watermark=None,
        host=plan.account,
        query={"plan_sha256": plan.sha256, "planned_at": plan.header["planned_at"]},
    )
    return _write(rows, name, location, run, description, parts)


def _write(
    records: Sequence[Change],
    name: str,
    location: object,
    run: TaskInstanceKey,
    description: Description,
    parts: PartOptions,
) -> dict[str, Any]:
    def pages(_start: str | None, _before: int) -> Iterator[Page[Any]]:
        yield Page([*records], 1, None, record=description.record)

    directory = folder(name, location)
    return Dataset(directory, run, "replace").write(WholeListing(pages), description, parts)


def _rows(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows as they were written: some formats give a column without a value, and some leave it out."""
    for row in rows:
        yield {name: value for name, value in row.items() if value is not None}
