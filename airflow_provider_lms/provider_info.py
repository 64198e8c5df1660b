"""The provider's metadata. Imports nothing of Airflow, so that discovery costs nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms import __version__
from airflow_provider_lms.assets import scheme_of
from airflow_provider_lms.vendors import VENDORS

_PACKAGE = "airflow_provider_lms"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the shape of Airflow's ``provider_info.schema.json``."""
    vendors = VENDORS.values()
    products = " and ".join(vendor.connection.label for vendor in vendors)
    return {
        "package-name": "airflow-provider-lms",
        "name": "Learning management systems",
        "description": (
            f"Reads learners' results from {products}, waits until learners have completed a course, and keeps people "
            "and enrollments in step."
        ),
        "versions": [__version__],
        "integrations": [
            {"integration-name": vendor.connection.label, "external-doc-url": vendor.docs_url, "tags": ["service"]}
            for vendor in vendors
        ],
        "connection-types": [vendor.connection.metadata(vendor.hook) for vendor in vendors],
        "hooks": _modules_of_vendors("hooks"),
        "config": {
            "lms": {
                "description": "Settings of the provider for learning management systems.",
                "options": {
                    "coordination_url": {
                        "description": (
                            "Where the tasks of this Airflow share the rate limit, the lock and the access token of an "
                            "account: ``local`` (a file in the Airflow home, for one host), ``file:///absolute/path``, "
                            "or for several hosts ``redis://``, ``rediss://`` or ``unix://``."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "redis://:PASSWORD@redis.internal:6379/0",
                        "default": "local",
                        "sensitive": True,
                    }
                },
            }
        },
        "operators": _modules_of_vendors("operators", "datasets", "approval"),
        "sensors": _modules_of_vendors("sensors"),
        "triggers": _shared_modules("triggers", "completion", "events", "turn"),
        "task-decorators": [
            {
                "name": vendor.conn_type,
                "class-name": f"{_PACKAGE}.decorators.{vendor.module}.{vendor.conn_type}_task",
            }
            for vendor in vendors
        ],
        "asset-uris": [
            {
                "schemes": [scheme_of(vendor.conn_type) for vendor in vendors],
                "handler": f"{_PACKAGE}.assets.sanitize_uri",
                "to_openlineage_converter": f"{_PACKAGE}.assets.convert_to_openlineage",
            }
        ],
        "extra-links": [f"{_PACKAGE}.links.course.CourseLink", f"{_PACKAGE}.links.dataset.DatasetLink"],
        "cli": [f"{_PACKAGE}.command_line.commands.get_airflow_commands"],
    }


def _modules_of_vendors(room: str, *shared: str) -> list[dict[str, Any]]:
    """For each LMS its own module in one of the package's folders, and those that all LMSs share."""
    return [
        {
            "integration-name": vendor.connection.label,
            "python-modules": [f"{_PACKAGE}.{room}.{module}" for module in (vendor.module, *shared)],
        }
        for vendor in VENDORS.values()
    ]


def _shared_modules(room: str, *modules: str) -> list[dict[str, Any]]:
    """The same modules for each LMS."""
    paths = [f"{_PACKAGE}.{room}.{module}" for module in modules]
    return [{"integration-name": vendor.connection.label, "python-modules": paths} for vendor in VENDORS.values()]
