"""A link from a task to its course in the LMS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

log = logging.getLogger(__name__)

XCOM_KEY = "_link_CourseLink"
"""The XCom key under which Airflow 3 looks for the link. It is pushed before the task waits."""


class CourseLink(BaseOperatorLink):
    """The course in the LMS itself."""

    name = "Course"

    @property
    def xcom_key(self) -> str:
        return XCOM_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(key=XCOM_KEY, ti_key=ti_key) or ""


def push_link(context: Mapping[str, Any], find: Callable[[], str | None]) -> None:
    """Let the UI show the link while the task runs. If anything goes wrong with it, the task continues.

    :param context: the task's; outside a task nothing happens.
    :param find: asks the LMS for the address.
    """
    push = getattr(context.get("ti"), "xcom_push", None)
    if push is None:
        return
    try:
        url = find() or ""
    except Exception as error:  # noqa: BLE001  # a link is only a convenience
        log.info("The course has no link (%s).", type(error).__name__)
        url = ""
    with suppress(Exception):
        # An empty text, too: Airflow logs an error if it looks for a link that was never pushed.
        push(key=XCOM_KEY, value=url if url.startswith("https://") else "")
