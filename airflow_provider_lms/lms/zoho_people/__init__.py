"""Zoho People's LMS."""

from airflow_provider_lms.lms.zoho_people.client import ZohoPeopleClient

__all__ = ["ZohoPeopleClient"]
