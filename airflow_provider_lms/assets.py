"""The identity of a listing as an Airflow asset: ``ispring-learn://ACCOUNT/LISTING``, ``zoho-people://ACCOUNT/LISTING``.

The account is the one named in the connection, or a digest. No credential is in a URI, and it stays the same when a
secret is replaced.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset

_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_LISTING = re.compile(r"/[a-z][a-z0-9_]*")
_DIGEST_LETTERS = 12


def scheme_of(conn_type: str) -> str:
    """The scheme of the asset URIs of an LMS. A scheme may hold no underscore.

    :param conn_type: the connection type.
    """
    return conn_type.replace("_", "-")


def account_name(given: str | None, host: str, client_id: str) -> str:
    """The name by which assets, lineage and people know an account.

    :param given: the name in the connection.
    :param host: the host of the API.
    :param client_id: with the host, it identifies the account where no name is given.
    :raises ValueError: the given name is not allowed.
    """
    if given is None:
        return hashlib.sha256(f"{host}\n{client_id}".encode()).hexdigest()[:_DIGEST_LETTERS]
    if not _ACCOUNT.fullmatch(given):
        raise ValueError(
            "extra 'account': use up to 63 lower-case letters, digits, dots, hyphens and underscores, such as "
            "'acme-training'. It begins and ends with a letter or a digit."
        )
    return given


def asset_root(conn_type: str, account: str) -> str:
    """What the asset URIs of all listings of an account begin with.

    :param conn_type: the connection type of the LMS.
    :param account: see :func:`account_name`.
    """
    return f"{scheme_of(conn_type)}://{account}"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check the URI of an asset. Airflow calls this for every asset with one of the schemes.

    :raises ValueError: it does not name one account and one listing.
    """
    if not _ACCOUNT.fullmatch(uri.netloc) or not _LISTING.fullmatch(uri.path) or uri.query:
        # Without the URI: it may hold a credential.
        raise ValueError(
            f"An asset URI of {uri.scheme} is {uri.scheme}://ACCOUNT/LISTING, such as {uri.scheme}://acme/courses, "
            "in lower case and without a user, a port or a query. ACCOUNT is the connection's extra 'account'."
        )
    return uri


def convert_to_openlineage(asset: Asset, lineage_context: object) -> Dataset:  # noqa: ARG001
    """The OpenLineage dataset of an asset with one of the schemes.

    :param lineage_context: not needed: the URI says everything.
    """
    return dataset_of(asset.uri)


def dataset_of(uri: str) -> Dataset:
    """The OpenLineage dataset of a URI: the namespace is the scheme with the host, the name is the path."""
    from urllib.parse import urlsplit

    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
