"""A link from a task to the dataset that it has written."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_lms.links.base import PushedLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


class DatasetLink(PushedLink):
    """The dataset's folder in the console of Amazon S3 or Google Cloud Storage.

    Folders elsewhere have no address that can be told from their URI.
    """

    name = "Dataset"
    what = "dataset"
    key = "_link_DatasetLink"


def console_url(directory: ObjectStoragePath) -> str | None:
    """The address of a folder for a browser; None if it has none.

    :param directory: the dataset's folder.
    """
    bucket, _, folder = directory.path.strip("/").partition("/")
    if directory.protocol in ("s3", "s3a") and not _has_own_endpoint(directory):
        return f"https://s3.console.aws.amazon.com/s3/buckets/{quote(bucket)}?prefix={quote(folder)}/"
    if directory.protocol in ("gs", "gcs"):
        return f"https://console.cloud.google.com/storage/browser/{quote(bucket)}/{quote(folder)}"
    return None


def _has_own_endpoint(directory: ObjectStoragePath) -> bool:
    """Whether the bucket is on another server than Amazon's, such as MinIO."""
    fs = directory.fs
    return bool(getattr(fs, "endpoint_url", None) or getattr(fs, "client_kwargs", {}).get("endpoint_url"))
