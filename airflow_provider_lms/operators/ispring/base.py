"""What the operators for iSpring Learn share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, Unpack

from airflow_provider_lms.links.course import CourseLink
from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.operators.options import ExtractOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.ispring import ISpringLearnClient

Ids: TypeAlias = "Sequence[str] | str | None"
Moment: TypeAlias = "datetime | str | None"


class ISpringExtractOptions(ExtractOptions, total=False):
    """The parameters of every operator for iSpring Learn.

    They are described at :class:`ISpringExtractOperator`.
    """

    ispring_learn_conn_id: str
    page_size: int | None


class ISpringExtractOperator(LmsExtractOperator["ISpringLearnClient"]):
    """Base of the operators that read iSpring Learn.

    :param ispring_learn_conn_id: the connection (templated).
    :param page_size: rows per page (templated); None takes the connection's, else the vendor's 1,000.
    """

    template_fields: Sequence[str] = ("ispring_learn_conn_id", "page_size", *LmsExtractOperator.template_fields)

    def __init__(
        self,
        *,
        ispring_learn_conn_id: str = "ispring_learn_default",
        page_size: int | None = None,
        **common: Unpack[ExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.ispring_learn_conn_id = ispring_learn_conn_id
        self.page_size = page_size

    def connect(self, options: ClientOptions) -> ISpringLearnClient:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        return ISpringLearnHook(self.ispring_learn_conn_id, options=options).get_conn()

    def query(self) -> Mapping[str, object]:
        return {"page_size": self.page_size}

    def push_link(self, client: ISpringLearnClient, context: Context) -> None:
        from airflow_provider_lms.lms.parameters import parse_ids

        if any(isinstance(each, CourseLink) for each in self.operator_extra_links):
            courses = parse_ids("course_ids", self.query().get("course_ids")) or ()
            CourseLink.push(context, lambda: client.course_url(courses[0]) if len(courses) == 1 else None)
