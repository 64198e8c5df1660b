"""iSpring Learn."""

from airflow_provider_lms.lms.ispring.client import ISpringLearnClient

__all__ = ["ISpringLearnClient"]
