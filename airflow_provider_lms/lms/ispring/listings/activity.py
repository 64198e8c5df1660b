"""What learners have done: their statuses in one content item, points, activity, and certificates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE, unwrap
from airflow_provider_lms.lms.ispring.listings.content import CONTENTS
from airflow_provider_lms.lms.ispring.listings.people import ENROLLMENTS, Enrollment
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import DateRangeFilter, IdFilter
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Id, Record, Row
from airflow_provider_lms.lms.listing.spec import Envelope, Listing, Parent


class FinalStatus(Record, kw_only=True):
    """A learner's final status in a content item. ``status`` is a label, such as "Passed" or "In progress"."""

    content_item_id: Annotated[Id, about("The content item.", references="contents")]
    user_id: Annotated[Id, about("The learner.", personal="indirect", references="users")]
    status: Annotated[
        str | None, about("A label such as Passed or In progress, not a completionStatus.", personal="indirect")
    ] = None
    progress: Annotated[float | None, about("How much is done, in percent from 0 to 100.", personal="indirect")] = None
    completion_date: Annotated[
        datetime | None, about("When the learner has completed it, in UTC.", personal="indirect")
    ] = None
    last_view_date: Annotated[
        datetime | None, about("When the learner has last opened it, in UTC.", personal="indirect")
    ] = None


class GamificationPoints(Record, kw_only=True):
    """The points that a user has now."""

    user_id: Annotated[Id, about("The user.", personal="indirect", references="users")]
    points: Annotated[float | None, about("The user's points.", personal="indirect")] = None


class ActiveUser(Record, kw_only=True):
    """A user who was active in a period. The LMS sends only the user; the period is the one that was asked for."""

    user_id: Annotated[Id, about("The user.", personal="indirect", references="users")]
    activity_start_date: Annotated[
        datetime | None, about("When the period begins, in UTC; null if none was asked for.")
    ] = None
    activity_end_date: Annotated[
        datetime | None, about("When the period ends, in UTC; null if none was asked for.")
    ] = None


class Certificate(Record, kw_only=True):
    """Where an issued certificate is. Its dates are in ``certificate`` of the enrollment.

    ``downloaded_file`` is not the LMS's: ``ISpringCertificatesOperator`` fills it.
    """

    issued_certificate_id: Annotated[Id, about("The certificate.", personal="indirect")]
    url: Annotated[
        str,
        about(
            "The address of the file, which may open it for everybody who knows it. Left out with download=True, "
            "unless columns names it.",
            personal="direct",
        ),
    ]
    downloaded_file: Annotated[
        str | None,
        about("With download=True: the name of the PDF in the dataset's folder. Otherwise null.", personal="indirect"),
    ] = None


_PERIOD = DateRangeFilter("activity_date", "activityDate")


def _with_period(row: Row, query: Query) -> Row:
    asked = dict(query.fixed)
    found = {name: asked.get(f"{_PERIOD.param}[{name}]") for name in ("startDate", "endDate")}
    return {**row, "activityStartDate": found["startDate"], "activityEndDate": found["endDate"]}


def _has_certificate(enrollment: Enrollment) -> bool:
    return enrollment.issued_certificate_id is not None


FINAL_STATUSES = Listing(
    name="final_statuses",
    path="/content/{content_item_id}/final_statuses",
    record=FinalStatus,
    rows="statuses",
    row="status",
    shape="rows",
    pager=ONE_PIECE,
    envelope=Envelope(is_empty=ENVELOPE.is_empty, is_error=ENVELOPE.is_error, xml_root="statuses"),
    key=("content_item_id", "user_id"),
    path_ids=(PathId("content_item_id", "contentItemId"),),
    parent=Parent(CONTENTS, {"content_item_id": "content_item_id"}),
    source="OpenAPI GET /content/{contentId}/final_statuses",
)

GAMIFICATION_POINTS = Listing(
    name="gamification_points",
    path="/gamification/points",
    record=GamificationPoints,
    rows="userPointsInfos",
    row="userPointsInfo",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("user_id",),
    filters=(IdFilter("user_ids", "userIds[]", row="user_id"),),
    source="OpenAPI GET /gamification/points",
)

ACTIVE_USERS = Listing(
    name="active_users",
    path="/report/active-users-by-period",
    record=ActiveUser,
    rows="ids",
    row="id",
    shape="rows",
    id_field="userId",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("user_id", "activity_start_date", "activity_end_date"),
    filters=(_PERIOD,),
    complete=_with_period,
    source="OpenAPI GET /report/active-users-by-period",
)

CERTIFICATES = Listing(
    name="certificates",
    path="/certificate/{issued_certificate_id}",
    record=Certificate,
    rows="attachments",
    shape="row",
    pager=ONE_PIECE,
    envelope=Envelope(is_empty=ENVELOPE.is_empty, is_error=ENVELOPE.is_error, xml_root="attachment"),
    key=("issued_certificate_id",),
    path_ids=(PathId("issued_certificate_id", "issuedCertificateId", personal=True),),
    complete=unwrap,
    parent=Parent(ENROLLMENTS, {"issued_certificate_id": "issued_certificate_id"}, where=_has_certificate),
    source="OpenAPI GET /certificate/{issuedCertificateId}",
)
