"""The error that a response of iSpring Learn stands for. iSpring tells errors by the HTTP status alone."""

from __future__ import annotations

from airflow_provider_lms.lms.errors import LmsError
from airflow_provider_lms.lms.http.response import Response, error_of_status


def error_of(response: Response) -> LmsError | None:
    """The error, or None for a success."""
    return error_of_status(response, unauthorized_hint="Check the connection's auth_scheme and host.")
