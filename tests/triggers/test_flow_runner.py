"""Read flows on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from airflow_provider_lms.coordination import CoordinationError
from airflow_provider_lms.lms.course.read_flow import ListingRequest, ReadFlow
from airflow_provider_lms.lms.errors import LmsUnavailable
from airflow_provider_lms.lms.http.observer import Observer
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.testing import fake_clock
from airflow_provider_lms.triggers.flow_runner import run_flow_async


class Row(msgspec.Struct):
    number: int


class Alone:
    """An account that nobody else uses."""

    observer = Observer()

    async def run(self, call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)


@pytest.mark.parametrize("error", [LmsUnavailable("away"), CoordinationError("away")])
def test_a_page_that_could_not_be_read_is_asked_for_again(error: Exception) -> None:
    failures, starts = [error, error], list[str | None]()

    def pages(start: str | None) -> Iterator[Page[Row]]:
        starts.append(start)
        for number in range(int(start or 0), 3):
            if number == 1 and failures:
                raise failures.pop()
            yield Page([Row(number)], number + 1, str(number + 1) if number < 2 else None)

    def flow() -> ReadFlow[list[int]]:
        result = yield ListingRequest(pages, lambda row: row.number)
        return result.kept

    account: Any = Alone()
    with fake_clock():
        assert asyncio.run(run_flow_async(flow(), account)) == [0, 1, 2]
    assert starts == [None, "1", "1"]
    assert not failures
