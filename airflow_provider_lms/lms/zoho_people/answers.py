"""What Zoho People calls an error: a code in the body, in one of several envelopes, at any HTTP status.

Sources: the vendor's list of People error codes, the status codes on its LMS pages, and what others met (7209, 7213,
7218). The complete list of LMS codes is not public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_lms.lms.answers import Answer, refusal
from airflow_provider_lms.lms.documents import parse
from airflow_provider_lms.lms.errors import (
    LmsBadRequest,
    LmsError,
    LmsNotFound,
    LmsPermissionError,
    LmsRateLimited,
    LmsTokenRefused,
    LmsUnavailable,
)

NO_RECORDS = 7024
"""The code by which Zoho says that a listing is empty."""

_LOCKED = "Zoho has locked the account, which made more requests than it allows."
_ELSEWHERE = (
    "the access token was refused, a new one too. Check that the connection's data_center (or accounts_url and "
    "people_url) is that of the account."
)
_SCOPE = "the scope is missing: create a refresh token with ZOHOPEOPLE.training.READ."
_ROLE = "the user behind the refresh token may not read this: give them a role in the LMS, such as course admin."
_NOT_FOUND = "Zoho found nothing under these ids, or shows it not to the user behind the refresh token."
_PARAMETER = "Zoho refused a parameter of the request."
_OUTAGE = "Zoho cannot answer at the moment."

_KINDS: dict[int, tuple[type[LmsError], str]] = {
    **dict.fromkeys((400, 422, *range(7011, 7060), *range(7203, 7217)), (LmsBadRequest, _PARAMETER)),
    **dict.fromkeys((429, 7209), (LmsRateLimited, _LOCKED)),
    **dict.fromkeys((401, 7202, 7213), (LmsTokenRefused, _ELSEWHERE)),
    7218: (LmsPermissionError, _SCOPE),
    **dict.fromkeys((403, *range(7037, 7042), 7060, 7119), (LmsPermissionError, _ROLE)),
    **dict.fromkeys((404, 7048, 7049, 7201), (LmsNotFound, _NOT_FOUND)),
    **dict.fromkeys((408, *range(500, 600), 7200), (LmsUnavailable, _OUTAGE)),
}
_WORDS = {
    "invalid_oauthtoken": 7213,
    "invalid_token": 7213,
    "oauth_scope_mismatch": 7218,
    "invalid_scope": 7218,
}
_THRESHOLD = "threshold limit exceeded"


def content(answer: Answer) -> Any:
    """The body's JSON, whatever the content type says.

    :raises LmsBrokenPage: the body is no JSON.
    """
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return parse(answer)


def refused(answer: Answer) -> LmsError | None:
    """The error that the body tells, else the one that the HTTP status stands for; None for a success."""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    code = error_code(body)
    if code == NO_RECORDS:
        return None
    if code is None and answer.status not in _KINDS:
        return refusal(answer)
    return _error(answer, code or 0)


def error_code(body: Any) -> int | None:
    """The code of the error that a body tells; 0 for one without a number, None for no error."""
    if not isinstance(body, Mapping):
        return None
    envelope = body.get("response")
    told_by_status = isinstance(envelope, Mapping) and str(envelope.get("status")) == "1"
    if isinstance(envelope, Mapping):
        body = envelope
    for found in (body.get("errors"), body.get("error"), body):
        each = found[0] if isinstance(found, list) and found else found
        if isinstance(each, str) and each:
            return _WORDS.get(each.lower(), 0)
        if isinstance(each, Mapping) and (code := _code(each)) is not None:
            return code
    return 0 if told_by_status else None


def _code(error: Mapping[str, Any]) -> int | None:
    if _THRESHOLD in str(error.get("message")).lower():
        return 7209
    code = str(error.get("code", "success")).lower()
    if not code.isdecimal():
        return None if code == "success" else _WORDS.get(code, 0)
    return None if 200 <= int(code) < 300 else int(code)


def _error(answer: Answer, code: int) -> LmsError:
    # A code that nobody has listed is permanent, also within a 5xx; a plain 4xx says enough by itself.
    known = code if code in _KINDS or (code and answer.status >= 500) else answer.status
    kind, reason = _KINDS.get(known, (LmsBadRequest, _PARAMETER))
    told = f"HTTP {answer.status}" + (f", code {code}" if code else "")
    message = f"{answer.call}: {told}: {reason}"
    if kind is LmsRateLimited:
        return LmsRateLimited(message, answer.status, answer.retry_after)
    return kind(message, answer.status)
