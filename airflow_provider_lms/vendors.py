"""The supported LMSs, one row each. The provider's metadata and the triggers loop over these rows.

Imports nothing of Airflow, so that discovery costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from airflow_provider_lms.connections.form import ConnectionType
from airflow_provider_lms.connections.ispring import ISPRING_LEARN
from airflow_provider_lms.connections.zoho_people import ZOHO_PEOPLE


@dataclass(frozen=True)
class Vendor:
    """One LMS.

    :param connection: its connection type.
    :param hook: the class path of its hook, which builds clients and readers.
    :param module: the name of its modules in ``operators/`` and ``sensors/``, and of its folder in ``lms/``.
    :param docs_url: the vendor's documentation.
    :param sensor: the class path of the sensor that waits for a course.
    :param listing_operator: the class path of the operator that reads any listing.
    :param operators: the class paths of those that do more for a listing, by its name, such as a crawl.
    """

    connection: ConnectionType[Any]
    hook: str
    module: str
    docs_url: str
    sensor: str
    listing_operator: str
    operators: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def conn_type(self) -> str:
        """The name of the connection type, which identifies the LMS."""
        return self.connection.name

    @property
    def conn_id_parameter(self) -> str:
        """The parameter that names a connection of this type."""
        return f"{self.conn_type}_conn_id"

    def listings(self) -> Mapping[str, Any]:
        """The declaration of every listing of the LMS, by its name. They are imported only now."""
        found: Mapping[str, Any] = import_module(f"airflow_provider_lms.lms.{self.module}.listings").LISTINGS
        return found

    @property
    def hook_module(self) -> str:
        """The module of the hook."""
        return self.hook.rpartition(".")[0]


_ROWS = (
    Vendor(
        connection=ISPRING_LEARN,
        hook="airflow_provider_lms.hooks.ispring.ISpringLearnHook",
        module="ispring",
        docs_url="https://ispringhelpdocs.com/ispring-learn",
        sensor="airflow_provider_lms.sensors.ispring.ISpringCourseCompletionSensor",
        listing_operator="airflow_provider_lms.operators.ispring.ISpringListingOperator",
        operators={
            "certificates": "airflow_provider_lms.operators.ispring.ISpringCertificatesOperator",
            "course_results": "airflow_provider_lms.operators.ispring.ISpringCourseResultsOperator",
            "module_results": "airflow_provider_lms.operators.ispring.ISpringModuleResultsOperator",
        },
    ),
    Vendor(
        connection=ZOHO_PEOPLE,
        hook="airflow_provider_lms.hooks.zoho_people.ZohoPeopleHook",
        module="zoho_people",
        docs_url="https://www.zoho.com/people/api/overview.html",
        sensor="airflow_provider_lms.sensors.zoho_people.ZohoPeopleCourseCompletionSensor",
        listing_operator="airflow_provider_lms.operators.zoho_people.ZohoPeopleListingOperator",
        operators={
            "course_progress": "airflow_provider_lms.operators.zoho_people.ZohoPeopleCourseProgressOperator",
            "entity_progress": "airflow_provider_lms.operators.zoho_people.ZohoPeopleEntityProgressOperator",
        },
    ),
)

VENDORS: Mapping[str, Vendor] = {row.conn_type: row for row in _ROWS}
"""The supported LMSs by connection type."""
