"""``cost``: how many requests, and how much time, reading a listing takes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_lms.command_line.exit_codes import ExitCode, UsageError
from airflow_provider_lms.command_line.jobs import find_job
from airflow_provider_lms.command_line.output import show_json, show_line
from airflow_provider_lms.command_line.places import folder_of
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.lms.http.observer import Observer, SentRequest
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.listing.splits import Reading
from airflow_provider_lms.lms.parameters import parse_int


class RequestCounter(Observer):
    """Counts the requests of a client, without those for access tokens."""

    def __init__(self) -> None:
        self.requests = 0
        self.seconds = 0.0

    def request_ended(self, request: SentRequest) -> None:
        self.requests += 1
        self.seconds += request.seconds


@dataclass(frozen=True)
class Cost:
    """What reading a listing takes.

    :param requests: how many requests.
    :param is_exact: whether it takes just as many. Otherwise it may take more.
    :param how: how that was found out.
    """

    requests: int
    is_exact: bool
    how: str


def run(arguments: argparse.Namespace) -> int:
    """Find the parents of a listing, the learners of a crawl, or the first page, and compute the rest."""
    expected = _expected_records(arguments)
    job, counter = find_job(arguments), RequestCounter()
    with job.client(arguments, counter) as client:
        pages = job.pages(client)
        splitter = pages.splitter if isinstance(pages, Reading) else None
        each = None if splitter is None else splitter.calls_per_key
        keys = [] if splitter is None or each is None else splitter.find_keys()
        listing_requests = counter.requests
        if splitter is not None and each is not None and len(keys) * each != 1:
            cost = _of_keys(listing_requests, len(keys), splitter.keys_are, each)
        else:
            cost = _of_pages(pages, expected, listing_requests)
        limits = client.limits
    per_request = counter.seconds / counter.requests if counter.requests else 0.0
    # Without a limit, requests one after the other take as long as those that were sent just now.
    seconds = limits.seconds_for(cost.requests) if limits.requests else cost.requests * per_request
    if arguments.json:
        show_json(
            {
                "listing": arguments.listing,
                "requests": cost.requests,
                "exact": cost.is_exact,
                "how": cost.how,
                "seconds": round(seconds, 1),
                "requests_per_window": limits.requests,
                "window_seconds": limits.window_seconds,
                "requests_per_day": limits.requests_per_day,
                "requests_sent_now": counter.requests,
            }
        )
        return ExitCode.OK
    show_line(f"{'' if cost.is_exact else 'at least '}{_requests(cost.requests)}: {cost.how}")
    show_line(_time(limits, cost.requests, seconds))
    show_line(f"Finding this out took {_requests(counter.requests)}.")
    return ExitCode.OK


def _expected_records(arguments: argparse.Namespace) -> int | None:
    if arguments.records is not None and arguments.like is not None:
        raise UsageError("--like: it replaces --records. Give only one of them.")
    if arguments.like is not None:
        from airflow_provider_lms.storage.manifest import load_manifest

        return load_manifest(folder_of(arguments.like)).records
    return None if arguments.records is None else parse_int("--records", arguments.records, minimum=0)


def _of_keys(listing: int, keys: int, keys_are: str, each: int) -> Cost:
    first = f", after {_requests(listing)} to list them" if listing else ""
    return Cost(listing + keys * each, is_exact=False, how=f"{keys:,} {keys_are} x {_requests(each)}{first}.")


def _of_pages(pages: Iterable[Any], expected: int | None, before: int) -> Cost:
    """The cost by the first page.

    :param before: how many requests it takes before there is a page.
    """
    first = next(iter(pages), None)
    if first is None or first.next is None:
        return Cost(before + 1, is_exact=True, how="it has one page.")
    size = len(first.records)
    if expected is None or not size:
        how = f"it has more than a page of {size:,} records. Give --records or --like for an estimate."
        return Cost(before + 2, is_exact=False, how=how)
    requests = max(math.ceil(expected / size), 2)
    return Cost(before + requests, is_exact=False, how=f"{expected:,} records in pages of {size:,}.")


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _time(limits: RateLimits, requests: int, seconds: float) -> str:
    if limits.requests is None:
        return f"about {describe_duration(seconds)}, one after the other; the connection sets no rate limit."
    day = limits.requests_per_day
    over = "" if day is None or requests <= day else f" More than the {day:,} that are allowed in a day."
    per_window = f"{limits.requests} requests in {limits.window_seconds:g} s"
    return f"{describe_duration(seconds)} at the rate limit of {per_window}, if nobody else sends any.{over}"
