"""What Airflow reads of this provider. Imports nothing of Airflow, so that discovery costs nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms import __version__
from airflow_provider_lms.connections import ISPRING_LEARN, ZOHO_PEOPLE

_ISPRING = "iSpring Learn"
_ZOHO = "Zoho People"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-lms",
        "name": "Learning management systems",
        "description": (
            "Learners' results of `iSpring Learn <https://www.ispring.com/ispring-learn>`__ and of the LMS of "
            "`Zoho People <https://www.zoho.com/people/>`__ in Airflow."
        ),
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _ISPRING,
                "external-doc-url": "https://ispringhelpdocs.com/ispring-learn",
                "tags": ["service"],
            },
            {
                "integration-name": _ZOHO,
                "external-doc-url": "https://www.zoho.com/people/api/overview.html",
                "tags": ["service"],
            },
        ],
        "connection-types": [ISPRING_LEARN.metadata(), ZOHO_PEOPLE.metadata()],
        "hooks": _modules("hooks"),
        "config": {
            "lms": {
                "description": "Settings of the provider for learning management systems.",
                "options": {
                    "coordination_url": {
                        "description": (
                            "Where the tasks of this Airflow share an account's request budget, lock and access token: "
                            "``local`` (a file in the Airflow home, for one host), ``file:///absolute/path``, or for "
                            "several hosts ``redis://``, ``rediss://`` or ``unix://``."
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
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": _modules("triggers", "completion", "events"),
        "extra-links": ["airflow_provider_lms.links.course.CourseLink"],
    }


def _modules(kind: str, *shared: str) -> list[dict[str, Any]]:
    """The modules of each LMS in one of the package's folders: its own, unless both share theirs."""
    return [
        {
            "integration-name": name,
            "python-modules": [f"airflow_provider_lms.{kind}.{each}" for each in shared or (module,)],
        }
        for name, module in ((_ISPRING, "ispring"), (_ZOHO, "zoho_people"))
    ]
