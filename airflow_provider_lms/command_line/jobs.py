"""The job that a command is about: the operator that would read the listing in a DAG.

So a command reads, checks and writes just what the operator does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.command_line.accounts import NamedConnection, client_options, find_connection, vendors_with
from airflow_provider_lms.command_line.exit_codes import UsageError
from airflow_provider_lms.command_line.filters import OPTION, check_required, parse_filters
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.listing.filter_names import check_names, filters_of, with_ranges
from airflow_provider_lms.lms.listing.projection import Projection

if TYPE_CHECKING:
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.operators.base import LmsExtractOperator
    from airflow_provider_lms.vendors import Vendor


@dataclass(frozen=True)
class Job:
    """A listing to read.

    :param account: where it is read from.
    :param operator: what reads it.
    """

    account: NamedConnection
    operator: LmsExtractOperator[Any]

    @contextmanager
    def client(self, arguments: argparse.Namespace, observer: Observer | None = None) -> Iterator[LmsClient]:
        """A client of the account, which is closed afterwards.

        :param observer: is told of its requests.
        """
        options = client_options(arguments, None if observer is None else lambda *_: observer)
        with closing(self.operator.connect(options)) as client:
            yield client

    def pages(self, client: LmsClient) -> Iterable[Page[Any]]:
        """The pages of the listing, with the columns that are asked for.

        :raises ValueError: a filter or a column is invalid.
        """
        self.operator.check_parameters()
        choice, listing = self.operator.column_choice(), self.operator.declaration()
        reading = self.operator.read(client, None)
        if choice is None:
            return reading
        return map(Projection(listing.name, listing.record, choice, client.hash_secret).apply, reading)


def find_job(arguments: argparse.Namespace, **parameters: Any) -> Job:
    """The job that a command's arguments name.

    :param parameters: further parameters of the operator.
    :raises ValueError: there is no such connection, listing or filter.
    """
    # The listing comes first: whoever misspells it is to learn that, also without a connection.
    account = find_connection(arguments, vendors_with(arguments.listing, arguments.lms))
    return Job(account, _operator(account, arguments.listing, parse_filters(arguments.filter), parameters))


def column_parameters(arguments: argparse.Namespace) -> dict[str, list[str] | None]:
    """The operator's parameters that choose columns."""
    return {
        "columns": _names(arguments.columns),
        "drop_columns": _names(arguments.drop_columns),
        "hash_columns": _names(arguments.hash_columns),
    }


def _names(given: str | None) -> list[str] | None:
    return None if given is None else [each.strip() for each in given.split(",")]


def filter_names(vendor: Vendor, listing: str) -> list[str]:
    """The names that ``--filter`` takes for a listing."""
    if listing in vendor.operators:
        return _own_parameters(_imported(vendor.operators[listing]), vendor)
    return [each.name for each in filters_of(vendor.listings()[listing])]


def _operator(
    account: NamedConnection, listing: str, filters: dict[str, Any], parameters: dict[str, Any]
) -> LmsExtractOperator[Any]:
    vendor = account.vendor
    listings = vendor.listings()
    if listing not in listings:
        raise UsageError(f"LISTING: {vendor.conn_type} has no listing {listing!r}. `listings` shows what there is.")
    check_names(OPTION, listing, filters, filter_names(vendor, listing))
    parameters |= {"task_id": "command_line", "deferrable": False, vendor.conn_id_parameter: account.conn_id}
    if listing in vendor.operators:
        kind = _imported(vendor.operators[listing])
        check_required(listing, filters, kind)
        return kind(**filters, **parameters)
    parameters |= {"listing": listing, "filters": with_ranges(listings[listing], filters)}
    return _imported(vendor.listing_operator)(**parameters)


def _imported(path: str) -> type[LmsExtractOperator[Any]]:
    from airflow.providers.common.compat.module_loading import import_string

    kind: type[LmsExtractOperator[Any]] = import_string(path)
    return kind


def _own_parameters(kind: type[LmsExtractOperator[Any]], vendor: Vendor) -> list[str]:
    """The parameters that say what is read: all that can be templated, without those that all operators have."""
    from airflow_provider_lms.operators.base import LmsExtractOperator

    common = {*LmsExtractOperator.template_fields, vendor.conn_id_parameter, "page_size"}
    return [name for name in kind.template_fields if name not in common]
