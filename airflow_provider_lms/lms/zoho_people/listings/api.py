"""What all listings of Zoho People have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, TypeAlias

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.offset_pager import OffsetPager
from airflow_provider_lms.lms.listing.pagers import UnpagedPager
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.records import Id, WholeNumber
from airflow_provider_lms.lms.listing.spec import Envelope
from airflow_provider_lms.lms.zoho_people.error_codes import NO_RECORDS, error_code

Number: TypeAlias = WholeNumber | float | str | None
"""A number. Where Zoho sends a text that is no number, such as "unlimited", it is kept."""

PAGES = OffsetPager(offset_param="startIndex", more_field="hasMoreRecords")
"""A page has up to 25 rows."""
ONE_PIECE = UnpagedPager(PAGES.more_field)
"""A single object, or a list for which Zoho documents no ``startIndex``."""

COURSE = PathId("course_id", "courseId")
BATCH = PathId("batch_id", "batchId")
MODULE = PathId("module_id", "moduleId")
PLAN = PathId("plan_id", "planId")
# The vendor's own sample answers with another learner's id than the one that was asked for.
LEARNER = PathId("learner_id", "learnerId", personal=True, response_field="responseLearnerId")

CourseId: TypeAlias = Annotated[Id, about("The course.", references="courses")]
BatchId: TypeAlias = Annotated[str | None, about("The batch, if the course is blended.", references="batches")]
ModuleId: TypeAlias = Annotated[str | None, about("The module.")]
LearnerId: TypeAlias = Annotated[Id, about("The learner that was asked for.", personal="indirect")]
ResponseLearnerId: TypeAlias = Annotated[
    str | None, about("The learner that the response names, if it is another.", personal="indirect")
]


def ids_to_text(value: Any) -> Any:
    """The same document with every id as text: 18 digits do not fit into the numbers of many readers.

    So are values whose type is not documented.
    """
    if isinstance(value, list):
        return [ids_to_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _to_text(item, int)
        if name == "id" or name.endswith(_ID_ENDINGS)
        else _to_text(item, int, float)
        if name in _TEXTS
        else ids_to_text(item)
        for name, item in value.items()
    }


def _is_empty(content: Any) -> bool:
    """Zoho says that there are no records, or that the call succeeded and the last page ends here."""
    if not isinstance(content, dict):
        return False
    if error_code(content) == NO_RECORDS:
        return True
    succeeded = str(content.get("code")) == "200" and str(content.get("message")).lower() == "success"
    return succeeded and content.keys() <= _BESIDE_ROWS


def _is_error(content: Any) -> bool:
    return error_code(content) not in (None, NO_RECORDS)


ENVELOPE = Envelope(is_empty=_is_empty, is_error=_is_error, normalize=ids_to_text)


def envelope(rows: str, *other_names: str) -> Envelope:
    """The envelope of a listing whose list of rows may have another name, since no sample shows it.

    :param rows: the name that the declaration uses.
    :param other_names: what the list may be called as well.
    """

    def normalize(content: Any) -> Any:
        content = ids_to_text(content)
        found = None if not isinstance(content, dict) or rows in content else content.keys() & set(other_names)
        if not found or len(found) > 1:
            return content
        return {rows if name in found else name: value for name, value in content.items()}

    return replace(ENVELOPE, normalize=normalize)


_BESIDE_ROWS = {
    "code",
    "message",
    "courseId",
    "batchId",
    "moduleId",
    "learnerId",
    "planId",
    "entityType",
    PAGES.more_field,
}

_TEXTS = frozenset(
    (
        *("courseType", "type", "status", "completionStatus", "duration", "enrolledDate", "completionDate"),
        *("date", "startTime", "endTime", "startDate", "endDate", "lockUntil", "submissionFrom", "submissionTo"),
    )
)
_ID_ENDINGS = ("Id", "Ids", "ID", "IDs", "erecno", "Erecno")


def _to_text(value: Any, *numbers: type) -> Any:
    # An id that came as a double has lost digits already. It stays a number, and so does not pass as an id.
    if isinstance(value, list):
        return [_to_text(item, *numbers) for item in value]
    return str(value) if type(value) in numbers else ids_to_text(value)
