"""Finds the account that a command is about: an Airflow connection, also from the environment alone."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.command_line.exit_codes import UsageError
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.parameters import parse_choice, parse_float
from airflow_provider_lms.vendors import VENDORS, Vendor

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions, CourseHook


@dataclass(frozen=True)
class NamedConnection:
    """A connection to an LMS, by its id.

    :param vendor: the LMS.
    :param conn_id: the id of its connection.
    """

    vendor: Vendor
    conn_id: str

    def hook(self, options: ClientOptions) -> CourseHook[Any, Any, Any]:
        """Its hook.

        :param options: how clients are used.
        """
        from airflow.providers.common.compat.module_loading import import_string

        hook: CourseHook[Any, Any, Any] = import_string(self.vendor.hook)(self.conn_id, options=options)
        return hook


def find_connection(arguments: argparse.Namespace, vendors: Sequence[Vendor] | None = None) -> NamedConnection:
    """The connection that ``--conn-id``, ``--lms`` or the environment names.

    :param vendors: the LMSs that the command can be about; None is all. If it is one, nothing needs to name it.
    :raises UsageError: none is named, or there is no such connection.
    """
    # Airflow 3 finds connections of its database only in its own processes, and `airflow connections` says by this
    # variable that it is one of them. Variables AIRFLOW_CONN_... come first, and need no database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    conn_id = arguments.conn_id
    if conn_id is None:
        conn_id = f"{_vendor_of_default(arguments.lms, vendors or [*VENDORS.values()]).conn_type}_default"
    vendor = _vendor_of(conn_id)
    if arguments.lms not in (None, vendor.conn_type):
        raise UsageError(f"--lms: connection {conn_id!r} is of type {vendor.conn_type!r}.")
    return NamedConnection(vendor, conn_id)


def parse_lms(lms: str) -> Vendor:
    """The LMS that ``--lms`` names.

    :raises ValueError: there is no such LMS.
    """
    return VENDORS[parse_choice("--lms", lms, tuple(VENDORS))]


def vendors_with(listing: str, lms: str | None) -> list[Vendor]:
    """The LMSs that have a listing.

    :param lms: the only one to look at; None is all.
    :raises ValueError: none has it, or there is no such LMS.
    """
    asked = [*VENDORS.values()] if lms is None else [parse_lms(lms)]
    found = [each for each in asked if listing in each.listings()]
    if not found:
        subject = "there is" if lms is None else f"{lms} has"
        raise UsageError(f"LISTING: {subject} no listing {listing!r}. `listings` shows what there is.")
    return found


def client_options(
    arguments: argparse.Namespace,
    make_observer: Callable[[str, str], Observer] | None = None,
    *,
    most: float = math.inf,
) -> ClientOptions:
    """How a client of a command is used.

    :param make_observer: what is told of its requests; None is nobody.
    :param most: a bound for ``--max-wait``, in seconds.
    """
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.hooks.observer import no_observer

    max_wait = min(most, parse_float("--max-wait", arguments.max_wait, 0))
    return ClientOptions(retry=RetryPolicy(max_wait=max_wait), make_observer=make_observer or no_observer)


def _vendor_of_default(lms: str | None, vendors: Sequence[Vendor]) -> Vendor:
    if lms is not None:
        return parse_lms(lms)
    if len(vendors) == 1:
        return vendors[0]
    found = [each for each in vendors if f"AIRFLOW_CONN_{each.conn_type.upper()}_DEFAULT" in os.environ]
    if len(found) != 1:
        raise UsageError(
            "--conn-id: name a connection, or with --lms the LMS whose default connection to take "
            f"({' or '.join(VENDORS)})."
        )
    return found[0]


def _vendor_of(conn_id: str) -> Vendor:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise UsageError(
            f"--conn-id: there is no connection {conn_id!r}. Add it in Airflow, or set the environment variable "
            f"AIRFLOW_CONN_{conn_id.upper()}."
        ) from None
    conn_type = (connection.conn_type or "").replace("-", "_")
    if conn_type not in VENDORS:
        raise UsageError(f"--conn-id: {conn_id!r} is of type {conn_type!r}. Expected {' or '.join(VENDORS)}.")
    return VENDORS[conn_type]
