"""From records to XCom or to a dataset in object storage, and back."""

from airflow_provider_lms.storage.arrow import arrow_schema
from airflow_provider_lms.storage.comparison import compare_datasets
from airflow_provider_lms.storage.manifest import read_manifest
from airflow_provider_lms.storage.reader import read_records

__all__ = ["arrow_schema", "compare_datasets", "read_manifest", "read_records"]
