"""What the operators for Zoho People share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, Unpack

from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.operators.options import ExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient

Id: TypeAlias = "str | int"


class ZohoPeopleExtractOptions(ExtractOptions, total=False):
    """The parameters of every operator for Zoho People.

    They are described at :class:`ZohoPeopleExtractOperator`.
    """

    zoho_people_conn_id: str


class ZohoPeopleExtractOperator(LmsExtractOperator["ZohoPeopleClient"]):
    """Base of the operators that read Zoho People.

    Ids are Zoho's and consist of digits; an integer is taken as its digits.

    :param zoho_people_conn_id: the connection (templated).
    """

    template_fields: Sequence[str] = ("zoho_people_conn_id", *LmsExtractOperator.template_fields)

    def __init__(self, *, zoho_people_conn_id: str = "zoho_people_default", **common: Unpack[ExtractOptions]) -> None:
        super().__init__(**common)
        self.zoho_people_conn_id = zoho_people_conn_id

    def connect(self, options: ClientOptions) -> ZohoPeopleClient:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, options=options).get_conn()

    def query(self) -> Mapping[str, object]:
        return {}
