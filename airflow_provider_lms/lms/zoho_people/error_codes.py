"""What Zoho People calls an error: a code in the body, in one of several envelopes, at any HTTP status.

Sources: the vendor's list of People error codes, the status codes on its LMS pages, and what third parties met (7209,
7213, 7218). The complete list of LMS codes is not public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_lms.lms.errors import (
    REFUSALS,
    LmsBadRequest,
    LmsBrokenPage,
    LmsError,
    LmsInvalidValue,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
    LmsUnknownError,
)
from airflow_provider_lms.lms.http.documents import document_kind, parse_document
from airflow_provider_lms.lms.http.response import Response, error_of_status

NO_RECORDS = 7024
"""The code by which Zoho says that a listing is empty."""
LOCKED = 7209
"""The code by which Zoho says that it has locked the account."""

UNKNOWN_ID = (LmsNotFound, LmsInvalidValue)
"""What Zoho answers to ids that do not exist, or do not go together. No other error means that."""

_LOCKED = "Zoho has locked the account, which made more requests than it allows."
_WRONG_DATA_CENTER = (
    "the access token was rejected, even a new one. Check that the connection's data_center (or accounts_url and "
    "people_url) is the account's own."
)
_SCOPE = (
    "the scope is missing: create a refresh token with ZOHOPEOPLE.training.READ, for employees also with "
    "ZOHOPEOPLE.forms.READ, and to enroll with ZOHOPEOPLE.training.CREATE."
)
_ROLE = "the user behind the refresh token may not do this: give them a role in the LMS, such as course admin."
_NOT_FOUND = "Zoho found nothing under these ids, or the user behind the refresh token may not see it."
_VALUE = "Zoho rejected the value of a parameter. Does the id exist?"
_REQUEST = "Zoho rejected the request. Please report this error code to the maintainers of this package."
_OUTAGE = "Zoho cannot answer at the moment."
_UNKNOWN = "Zoho reports an error that it does not document."

_KINDS: dict[int, tuple[type[LmsError], str]] = {
    **dict.fromkeys((400, 7016, 7034, 7050), (LmsInvalidValue, _VALUE)),
    **dict.fromkeys((7011, 7012, 7019, 7020, 7022, 7029, 7031, 7042, 7043), (LmsBadRequest, _REQUEST)),
    **dict.fromkeys((*range(7051, 7060), 7201, 7203, 7204, 7205, 7207, 7216), (LmsBadRequest, _REQUEST)),
    422: (LmsUnknownError, "a maximum was exceeded. Zoho does not say which."),
    **dict.fromkeys((429, LOCKED), (LmsRateLimited, _LOCKED)),
    **dict.fromkeys((401, 7202, 7213), (LmsTokenRefused, _WRONG_DATA_CENTER)),
    7218: (LmsPermissionError, _SCOPE),
    **dict.fromkeys((403, *range(7037, 7042), 7060, 7119), (LmsPermissionError, _ROLE)),
    **dict.fromkeys((404, 7048, 7049), (LmsNotFound, _NOT_FOUND)),
    **dict.fromkeys((408, 425, *range(500, 600), 7200), (LmsUnavailable, _OUTAGE)),
}
_WORDS = {
    "invalid_oauthtoken": 7213,
    "invalid_token": 7213,
    "authentication_failure": 7213,
    "oauth_scope_mismatch": 7218,
    "invalid_scope": 7218,
}
_THRESHOLD = "threshold limit exceeded"
_FAILURES = ("failure", "failed", "error")
# These say by themselves what is wrong, also beside a code that nobody knows.
_TELLING_STATUSES = (401, 403, 404, 408, 425, 429)


def error_of(response: Response) -> LmsError | None:
    """The error that the body tells, else the one that the HTTP status stands for; None for a success."""
    code = error_code(_content(response))
    if code == NO_RECORDS:
        return None
    if code is None and (response.is_web_page or response.status not in _KINDS):
        return error_of_status(response)
    return _error(response, code or 0)


def error_code(body: Any) -> int | None:
    """The code of the error that a body tells; 0 for one without a known code, None for no error."""
    if not isinstance(body, Mapping):
        return None
    envelope = body.get("response")
    content = envelope if isinstance(envelope, Mapping) else body
    for found in (content.get("errors"), content.get("error"), content):
        each = found[0] if isinstance(found, list) and found else found
        if isinstance(each, str) and each:
            return _WORDS.get(each.lower(), 0)
        if isinstance(each, Mapping) and (code := _code(each)) is not None:
            return code
    has_failed = content is envelope and str(content.get("status")) == "1"
    return 0 if has_failed or str(content.get("status")).lower() in _FAILURES else None


def _content(response: Response) -> Any:
    try:
        content = parse_document(response)
        is_xml = document_kind(response) == "xml"
    except LmsBrokenPage:
        return None
    return {"response": content} if is_xml else content


def _code(error: Mapping[str, Any]) -> int | None:
    if _THRESHOLD in str(error.get("message")).lower():
        return LOCKED
    code = str(error.get("code", "success")).lower()
    if not (code.isascii() and code.isdecimal()):
        return None if code == "success" else _WORDS.get(code, 0)
    # Longer ones are no codes, and Python refuses to convert the longest.
    number = int(code) if len(code) < 10 else 0
    return None if 200 <= number < 300 else number


def _error(response: Response, code: int) -> LmsError:
    kind, reason = _KINDS.get(code, (LmsUnknownError, _UNKNOWN))
    # Zoho wraps permanent errors in a 5xx, so a code there says more than the status. Words say nothing.
    if code not in _KINDS and (response.status in _TELLING_STATUSES or (not code and response.status != 200)):
        kind, reason = _KINDS.get(response.status, (kind, reason))
    status = f"HTTP {response.status}" + (f", code {code}" if code else "")
    message = f"{response.call}: {status}: {reason}"
    if kind is LmsRateLimited:
        return LmsRateLimited(message, response.status, response.retry_after)
    error = kind(message, response.status)
    error.is_refusal = code in _KINDS and isinstance(error, REFUSALS)
    return error
