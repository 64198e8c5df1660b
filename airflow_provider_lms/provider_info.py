"""What Airflow reads of this provider. Imports nothing of Airflow, so that discovery costs nothing."""

from __future__ import annotations

from typing import Any

from airflow_provider_lms import __version__
from airflow_provider_lms.connections import ISPRING_LEARN

_ISPRING = "iSpring Learn"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-lms",
        "name": "Learning management systems",
        "description": "Learners' results of `iSpring Learn <https://www.ispring.com/ispring-learn>`__ in Airflow.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _ISPRING,
                "external-doc-url": "https://ispringhelpdocs.com/ispring-learn",
                "tags": ["service"],
            }
        ],
        "connection-types": [ISPRING_LEARN.metadata()],
        "hooks": [{"integration-name": _ISPRING, "python-modules": ["airflow_provider_lms.hooks.ispring"]}],
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
        "operators": [{"integration-name": _ISPRING, "python-modules": ["airflow_provider_lms.operators.ispring"]}],
    }
