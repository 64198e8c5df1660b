"""Checks the rows of a page against the query: the LMS may have ignored a filter."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Generic, TypeVar

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.listing.filters import ChoiceFilter, IdFilter
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Record
from airflow_provider_lms.lms.listing.spec import Listing

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)


class FilterGuard(Generic[R]):
    """The guard of one reading of a listing.

    :param listing: what is read.
    :param query: what was asked for.
    """

    def __init__(self, listing: Listing[R], query: Query) -> None:
        self._ids = [each for each in listing.filters if isinstance(each, IdFilter) and each.row is not None]
        self._choices = {
            each: allowed
            for each in listing.filters
            if isinstance(each, ChoiceFilter) and each.row is not None
            if (allowed := {value for param, value in query.fixed if param == each.param})
        }
        names = dict(zip(listing.record.__struct_encode_fields__, listing.record.__struct_fields__, strict=True))
        self._answered: dict[str, set[str | None]] = {
            names[each.response_field]: set() for each in listing.path_ids if each.response_field in names
        }
        self._warned: set[str] = set()

    def check(self, call: str, records: list[R], query: Query) -> list[R]:
        """The records that were asked for.

        :param call: the page's name in messages.
        :param query: what this page was asked for; one part of a split query.
        :raises LmsBrokenPage: a row has an id that was not asked for. Such a row cannot just be dropped: the LMS may
            have answered another question.
        """
        for attribute, answered in self._answered.items():
            # One other id may be another name of what was asked for. Several are rows of something else.
            answered.update(map(attrgetter(attribute), records))
            if len(answered) > 1:
                raise LmsBrokenPage(
                    f"{call}: rows of several ids came, although one was asked for. Nothing from this page was kept."
                )
        for each in self._ids:
            asked = {item.casefold() for item in query.ids(each.name)}
            read = attrgetter(each.row or "")
            if asked and any((read(record) or "").casefold() not in asked for record in records):
                raise LmsBrokenPage(
                    f"{call}: a row has a {each.row} that {each.name} did not ask for, so the LMS ignored the filter. "
                    "Nothing from this page was kept. Read without this filter, or ask the vendor."
                )
        for choice, allowed in self._choices.items():
            read = attrgetter(choice.row or "")
            kept = [record for record in records if read(record) in allowed]
            if len(kept) < len(records) and choice.name not in self._warned:
                log.warning("%s: the LMS ignored %s; other rows are dropped.", call, choice.name)
                self._warned.add(choice.name)
            records = kept
        return records
