"""What the links of tasks in Airflow's UI share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

log = logging.getLogger(__name__)


class PushedLink(BaseOperatorLink):
    """A link whose address the task itself finds out, and pushes to XCom."""

    what: ClassVar[str]
    """What the link leads to, for the log."""
    key: ClassVar[str]
    """The XCom key under which Airflow 3 looks for the link."""

    @property
    def xcom_key(self) -> str:
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(key=self.key, ti_key=ti_key) or ""

    @classmethod
    def push(cls, context: Mapping[str, Any], find: Callable[[], str | None]) -> None:
        """Let the UI show the link. If anything goes wrong with it, the task continues.

        :param context: the task's; outside a task nothing happens.
        :param find: finds out the address, or that there is none.
        """
        push = getattr(context.get("ti"), "xcom_push", None)
        if push is None:
            return
        try:
            url = find() or ""
        except Exception as error:  # noqa: BLE001  # a link is only a convenience
            log.info("The task has no link to its %s (%s).", cls.what, type(error).__name__)
            url = ""
        with suppress(Exception):
            # An empty text, too: Airflow logs an error if it looks for a link that was never pushed.
            push(key=cls.key, value=url if url.startswith("https://") else "")


@contextmanager
def no_links_if_it_fails(links: Iterable[BaseOperatorLink], context: Mapping[str, Any]) -> Iterator[None]:
    """Push empty links if a task fails, so that Airflow does not log an error for each link after the real one.

    :param links: those of the task.
    """
    try:
        yield
    except Exception:
        for link in links:
            if isinstance(link, PushedLink):
                link.push(context, lambda: None)
        raise
