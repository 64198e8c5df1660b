"""What the tests know of every listing of every LMS: ids that exist, and the rows that a simulated world holds.

The rows are the simulator's own, asked for in this process: neither HTTP nor this package's client is between.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from airflow_provider_lms.lms.listing.pagers import CursorPager
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.exchange import JSON, Request
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.ispring_rows import certificate_of
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.zoho import Zoho
from tests.rows import present

SINGLE = ("course_details", "course_settings", "single_entity_progress", "trainings", "training_days", "certificates")
"""The listings of one row."""

_ALL = 100_000


def ispring_ids(lms: Simulator) -> dict[str, str]:
    """Ids of things that exist, by the names of path ids."""
    world = lms.world
    kinds = {item.kind: item.id for item in reversed(world.library)}
    training = world.trainings[0]
    certificates = map(certificate_of, lms.ispring.results())
    return {
        "group_id": world.groups[0].id,
        "course_id": world.catalog[0].id,
        "content_item_id": kinds["Course"],
        "learning_track_id": kinds["LearningTrack"],
        "quiz_id": world.id_of("quiz", kinds["Quiz"]),
        "assignment_id": kinds["Assignment"],
        "training_id": training.id,
        "session_id": training.sessions[0].id,
        "day_id": training.sessions[0].day_ids[0],
        "issued_certificate_id": next(each["issuedCertificateId"] for each in certificates if each),
    }


def zoho_ids(lms: Simulator, listing: str) -> dict[str, str]:
    """Ids of a course, learner and so on that exist, by the names of path ids.

    :param listing: only some courses have what it lists.
    """
    account = lms.zoho
    course = account.courses[1 if listing in ("batches", "batch_schedulers", "sessions") else 0]
    ids = {
        "course_id": course.id,
        "learner_id": account.world.everyone[0].id,
        "module_id": str(account.world.modules(course)[0]["moduleId"]),
        "plan_id": str(account.rows.plans()[1]["planId"]),
        "entity_type": "online_tests",
        "entity_id": account.world.entity_id(course, 1, 0),
    }
    return ids | ({"batch_id": course.batches[0].id} if course.batches else {})


def values_of(lms: Simulator, conn_type: str, listing: Listing[Any]) -> dict[str, str]:
    """What to read a listing with, so that it has rows: of a whole course, where that is possible."""
    names = {each.name for each in listing.path_ids}
    if conn_type == "ispring_learn":
        ids = ispring_ids(lms)
    else:
        ids = zoho_ids(lms, listing.name)
        names -= {"learner_id"} if listing.name == "course_progress" else set()
        names -= {"module_id"} if "[/modules" in listing.path else set()
        names -= {"batch_id"} if listing.name != "sessions" else set()
        names |= {"entity_type"} if listing.name == "entity_progress" else set()
        ids |= {"entity_type": "1"} if listing.name == "entity_progress" else {}
    return {name: value for name, value in ids.items() if name in names}


def call_of(conn_type: str, listing: Listing[Any], values: Mapping[str, object]) -> str:
    """Method and path, as in the simulator's log."""
    prefix = "" if conn_type == "ispring_learn" else "/api/v1"
    return f"{listing.method} {posixpath.normpath(prefix + listing.query(values).path)}"


def world_rows(
    lms: Simulator, conn_type: str, listing: Listing[Any], values: Mapping[str, object]
) -> list[dict[str, Any]]:
    """All rows that a simulated account has for a query, as a dataset should hold them: see :func:`comparable`."""
    account = ISpring(lms.world) if conn_type == "ispring_learn" else _unlimited_zoho(lms)
    query = listing.query(values, page_size=_ALL if isinstance(listing.pager, CursorPager) else None)
    by_post = listing.method == "POST"
    headers = {
        "accept": JSON,
        "authorization": _authorization(account),
        "content-type": JSON,
        "host": lms.url.partition("//")[2],
    }
    request = Request(
        call_of(conn_type, listing, values),
        () if by_post else tuple(query.params()),
        headers,
        {},
        msgspec.json.encode(query.body()).decode() if by_post else "",
    )
    reply = account.reply(request)
    assert reply is not None
    assert reply.status == 200, reply.content
    rows = [{listing.id_field: row} if listing.id_field else row for row in _rows(listing, reply.content)]
    change = _CHANGES.get((conn_type, listing.name), dict)
    ids = {each.field: values[each.name] for each in listing.path_ids if each.name in values}
    return comparable({**ids, **_ADDED.get(listing.name, {}), **change(row)} for row in rows)


def comparable(rows: Any) -> list[dict[str, Any]]:
    """Rows of a dataset or of the world, to compare: values as text, and what is empty left out."""
    found: list[dict[str, Any]] = _as_text(present(rows))
    # It is computed from a text; other tests check how.
    return [{name: value for name, value in row.items() if value != [] and name != "durationMinutes"} for row in found]


def _unlimited_zoho(lms: Simulator) -> Zoho:
    account = Zoho(lms.world)
    account.page_size = account.form_page_size = _ALL
    return account


def _authorization(account: ISpring | Zoho) -> str:
    form = {"client_id": account.client_id, "client_secret": account.client_secret}
    if isinstance(account, ISpring):
        return f"Bearer {_token(account, 'POST /api/v3/token', form | {'grant_type': 'client_credentials'})}"
    form |= {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
    return f"Zoho-oauthtoken {_token(account, 'POST /oauth/v2/token', form)}"


def _token(account: Vendor, call: str, form: dict[str, str]) -> str:
    reply = account.reply(Request(call, (), {"accept": JSON}, form))
    assert reply is not None
    return str(reply.content["access_token"])


def _rows(listing: Listing[Any], content: Any) -> list[Any]:
    if listing.name == "employees":
        return [row for each in content["response"]["result"] for (row,) in each.values()]
    if listing.shape == "row":
        return [content.get("response", content)]
    rows = content if listing.shape == "rows" else content[listing.rows]
    return rows if isinstance(rows, list) else [rows]


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("+00:00", "Z")


def _renamed(**names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {names.get(name.replace(".", "_"), name): value for name, value in row.items()}


def _user(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "fields": {each["name"].upper(): each["value"] for each in row["fields"]}}


def _enrollment(row: dict[str, Any]) -> dict[str, Any]:
    names = {"issuedCertificateId": "issuedCertificateId", "issueDate": "certIssueDate", "expiryDate": "certExpiryDate"}
    certificate = row.get("certificate") or {}
    return {**row, **{new: certificate.get(name) for name, new in names.items()}}


def _employee(row: dict[str, Any]) -> dict[str, Any]:
    return _renamed(
        EmployeeID="employeeId",
        EmailID="emailId",
        FirstName="firstName",
        LastName="lastName",
        ZUID="zuid",
        Employeestatus="employeeStatus",
        Department="department",
        Department_ID="departmentId",
        Designation="designation",
        Dateofjoining="dateOfJoining",
        ModifiedTime="modifiedTime",
        Reporting_To_ID="reportingToId",
        Reporting_To_MailID="reportingToEmailId",
    )({**row, "erecno": row["Zoho_ID"]})


def _link(row: dict[str, Any]) -> dict[str, Any]:
    return _renamed(isMandatoryLink="isMandatory")({**row, "canMarkAsComplete": bool(row["canMarkAsComplete"])})


def _room(row: dict[str, Any]) -> dict[str, Any]:
    location = row.pop("location")
    return {**row, "locationId": location["locationId"], "locationName": location["name"]}


_COURSE = _renamed(name="courseName", type="courseType")
_CHANGES: dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("ispring_learn", "users"): _user,
    ("ispring_learn", "enrollments"): _enrollment,
    ("zoho_people", "courses"): _COURSE,
    ("zoho_people", "course_details"): _COURSE,
    ("zoho_people", "course_shares"): _renamed(displayPictureURL="displayPictureUrl"),
    ("zoho_people", "batch_schedulers"): _renamed(notifyApplicaleUsers="notifyApplicableUsers"),
    ("zoho_people", "links"): _link,
    ("zoho_people", "employees"): _employee,
    ("zoho_people", "rooms"): _room,
}
"""What a row is made of, where it is not just what the vendor sends."""
_ADDED: dict[str, dict[str, Any]] = {
    "entity_progress": {"entityType": 1, "entityTypeName": "online_tests"},
    "single_entity_progress": {"entityType": 1, "entityTypeName": "online_tests"},
}
"""What follows from the query of :func:`values_of` alone."""
