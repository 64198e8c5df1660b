"""From records to XCom or to a dataset in object storage, and back."""

from airflow_provider_lms.storage.manifest import read_manifest
from airflow_provider_lms.storage.reader import read_records

__all__ = ["read_manifest", "read_records"]
