"""Changes in Zoho People's LMS, as methods of its client: who is in a course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from airflow_provider_lms.lms.client import LmsClient
from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.http.documents import parse_document
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.parameters import parse_required_ids
from airflow_provider_lms.lms.write import Write
from airflow_provider_lms.lms.zoho_people.listings.api import BATCH, COURSE

Id: TypeAlias = str | int
RecordIds: TypeAlias = Sequence[str | int] | str | int

MOST_RECORD_IDS = 150
"""So many 20-digit ids fit into a URL of 4,000 characters. Zoho documents no limit for either."""


def _no_success(response: Response) -> str | None:
    """Zoho answers with HTTP 200 to nearly everything, so only its own code says that a call was carried out."""
    try:
        content = parse_document(response)
    except LmsBrokenPage:
        content = None
    for each in (content, content.get("response") if isinstance(content, Mapping) else None):
        if isinstance(each, Mapping) and str(each.get("code")) == "200":
            return None
    return "the response does not have Zoho's code for a success (200)."


def _change(action: str) -> Write:
    # No page shows a response, so no HTTP status is known to mean a success.
    return Write("POST", f"/courses/{{course_id}}[/batches/{{batch_id}}]/{action}", None, _no_success, (COURSE, BATCH))


_ENROLL = _change("enroll")
_UNENROLL = _change("unenroll")


class TypedWrites(LmsClient):
    """The calls that change something. Each is sent once, and its parameters are checked before."""

    def enroll(self, course_id: Id, record_ids: RecordIds, *, batch_id: Id | None = None) -> None:
        """Enroll employees in a course, or in a batch of a blended course.

        The refresh token needs the scope ``ZOHOPEOPLE.training.CREATE``. What Zoho does with somebody who is enrolled
        already, or with a list of which it rejects one id, is not documented. So read
        :meth:`~airflow_provider_lms.lms.zoho_people.ZohoPeopleClient.course_progress` before and afterwards.

        :param course_id: Zoho's course id (digits).
        :param record_ids: the record ids of the employees: ``erecno`` in the listing ``employees``. 150 at most, since
            they stand in the URL.
        :param batch_id: the batch of a blended course; leave it out for a self-paced one.
        :raises ValueError: a parameter is invalid; nothing was sent.
        :raises LmsNotFound: there is no such course or batch, or the token's owner may not see it.
        :raises LmsPermissionError: the scope is missing, or the user behind the refresh token may not enroll.
        :raises LmsRateLimited: the account is locked; ``retry_after`` holds the seconds left.
        :raises LmsUnconfirmed: nobody knows whether they are enrolled. Read the progress, and send what is missing.

        Example::

            client.enroll("100002000010000001", ["100002000030000001", "100002000030000002"])

        Source: Zoho People API, LMS, "Enroll to course" and "Enroll to batch". The pages print no response.
        """
        params = [("erecnosList", _json_array(record_ids))]
        _ENROLL.send(self._transport, params=params, course_id=course_id, batch_id=batch_id)

    def unenroll(
        self,
        course_id: Id,
        record_ids: RecordIds,
        *,
        batch_id: Id | None = None,
        allow_undocumented: bool = False,
    ) -> None:
        """Take employees out of a course, or out of a batch of a blended course.

        The vendor's page contradicts itself: its text names the parameter ``erecnosList``, its samples send
        ``learnerErecno``. This sends ``erecnosList``, as :meth:`enroll` does. What Zoho does with a call that lacks the
        parameter which it expects is not known. What becomes of the progress is not documented either.

        :param course_id: Zoho's course id (digits).
        :param record_ids: the record ids of the employees; see :meth:`enroll`.
        :param batch_id: the batch of a blended course; leave it out for a self-paced one.
        :param allow_undocumented: you have tried it with your account.
        :raises ValueError: a parameter is invalid, or ``allow_undocumented`` is not set; nothing was sent.
        :raises LmsNotFound: there is no such course or batch, or the token's owner may not see it.
        :raises LmsPermissionError: the scope is missing, or the user behind the refresh token may not unenroll.
        :raises LmsUnconfirmed: nobody knows whether they are unenrolled.

        Source: Zoho People API, LMS, "Unenroll from course" and "Unenroll from batch". The pages print no response.
        """
        if allow_undocumented is not True:
            raise ValueError(
                "allow_undocumented: Zoho's page names one parameter for the employees in its text and another in its "
                "samples. Try it with a course of your own, and set allow_undocumented=True."
            )
        params = [("erecnosList", _json_array(record_ids))]
        _UNENROLL.send(self._transport, params=params, course_id=course_id, batch_id=batch_id)


def _json_array(record_ids: RecordIds) -> str:
    """The text of a JSON array of numbers, as the vendor's samples have it."""
    found = parse_required_ids("record_ids", record_ids, numeric=True)
    if not all(each.isascii() and each.isdecimal() for each in found):
        raise ValueError("record_ids: each must consist of digits. They are the field erecno of employees.")
    if len(found) > MOST_RECORD_IDS:
        raise ValueError(f"record_ids: expected {MOST_RECORD_IDS} or fewer in one call, got {len(found):,}.")
    return f"[{','.join(found)}]"
