"""Filters on the command line: ``--filter NAME=VALUE``. Operators and sensors check the values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_lms.command_line.exit_codes import UsageError

OPTION = "--filter"


def parse_filters(given: Sequence[str]) -> dict[str, str | list[str]]:
    """Filters by name. One that is repeated has several values.

    :param given: such as ``course_ids=f0e7400a``.
    :raises UsageError: an argument without a name or a value.
    """
    found: dict[str, list[str]] = {}
    for each in given:
        name, _, value = each.partition("=")
        if not name.strip() or not value:
            raise UsageError(f"--filter: expected NAME=VALUE, such as course_ids=17, got {each!r}.")
        if name.strip().endswith("_ids") and "," in value:
            raise UsageError(f"--filter: {name.strip()} has a comma. Repeat --filter for each id.")
        found.setdefault(name.strip(), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def check_required(what: str, given: Mapping[str, object], kind: type[Any]) -> None:
    """Refuse to go on without what an operator must be given.

    :raises UsageError: a parameter is missing.
    """
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        is_required = parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        if is_required and name not in given:
            raise UsageError(f"--filter: {what} needs --filter {name}=...")
