"""The error that a response of iSpring Learn stands for. iSpring tells errors by the HTTP status alone."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_lms.lms.errors import REFUSALS, LmsBrokenPage, LmsError
from airflow_provider_lms.lms.http.documents import parse_document
from airflow_provider_lms.lms.http.response import Response, error_of_status


def error_of(response: Response) -> LmsError | None:
    """The error, or None for a success."""
    error = error_of_status(response, unauthorized_hint="Check the connection's auth_scheme and host.")
    if isinstance(error, REFUSALS):
        error.is_refusal = is_error_body(response)
    return error


def is_error_body(response: Response) -> bool:
    """Whether the body is iSpring's: a code and a message. Some 404s are a bare text, which anybody could have sent.

    Source: OpenAPI ``ErrorResponse``.
    """
    try:
        found = parse_document(response)
    except LmsBrokenPage:
        return False
    return isinstance(found, Mapping) and {"code", "message"} <= found.keys()
