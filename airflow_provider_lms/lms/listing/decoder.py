"""From a response to the records of a page. One set of rules for every LMS, in JSON and in XML."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import msgspec

from airflow_provider_lms.lms.excerpt import excerpt, excerpts
from airflow_provider_lms.lms.http.documents import (
    document_kind,
    json_body,
    parse_json,
    parse_xml_page,
)
from airflow_provider_lms.lms.http.repeated_names import refuse_repeated_names
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.listing.filters import ChoiceFilter
from airflow_provider_lms.lms.listing.misfits import MisfitTally
from airflow_provider_lms.lms.listing.pagers import DecodedPage
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Record, RecordConverter, Row
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.memory import gc_paused

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)


class PageDecoder(Generic[R]):
    """Decodes the pages of one listing.

    JSON is decoded straight into typed records where nothing has to be done to the rows before. Where that fails, for
    example at a field that the vendor has added, the page takes the slower way by way of dicts, and the fast way knows
    the field from then on.

    :param listing: what is read.
    """

    def __init__(self, listing: Listing[R]) -> None:
        self._listing = listing
        self._converter = RecordConverter(listing.record)
        self._misfits = MisfitTally(listing.name, listing.record)
        self._reported: frozenset[str] = frozenset()
        self._mutex = threading.Lock()
        self._rows_change = bool(
            listing.complete
            or listing.aliases
            or listing.path_ids
            or listing.envelope.normalize
            or listing.shape != "page"
            or listing.id_field
            or any(isinstance(each, ChoiceFilter) and each.echo for each in listing.filters)
        )
        self._fast = self._typed_decoder()

    def decode(self, response: Response, query: Query) -> DecodedPage[R]:
        """The content of a page.

        :param query: what was asked for.
        :raises LmsBrokenPage: the response is not a complete page of this listing.
        """
        with self._mutex:  # threads may read the same listing, and decoding holds the GIL anyway
            page = self._decode(response, query)
            misfits = self._misfits.add(response.call, page.records)
            return replace(page, misfits=misfits, new_fields=frozenset(map(excerpt, self._converter.new_fields)))

    def report_drift(self) -> None:
        """Log how the LMS has departed from the declaration: values that do not fit, and fields that are new."""
        self._misfits.report()
        if new := self._converter.new_fields - self._reported:
            self._reported |= new
            log.info(
                "%s: the LMS sends fields that this version of the package does not declare: %s. They are kept in "
                "'_extra'.",
                self._listing.name,
                excerpts(new),
            )

    def _decode(self, response: Response, query: Query) -> DecodedPage[R]:
        if response.status == HTTPStatus.NO_CONTENT:
            return DecodedPage(response.call, [])
        if document_kind(response) == "json":
            if not self._rows_change and (page := self._decode_typed(response)) is not None:
                return page
            page = self._from_envelope(response, self._as_page(parse_json(response)), query)
            refuse_repeated_names(response, self._listing.rows)
            return page
        with gc_paused():
            # Not in a variable: the raw rows must be gone before the collector runs again, or it visits all of them.
            return self._from_envelope(response, self._parse_xml(response), query)

    def _parse_xml(self, response: Response) -> Row:
        listing = self._listing
        return parse_xml_page(response, listing.rows, listing.row, listing.envelope.xml_root, listing.shape)

    def _as_page(self, content: Any) -> Any:
        """A JSON document that is a list of rows, or one row, as the page that would hold it."""
        listing = self._listing
        if listing.shape == "rows" and isinstance(content, list):
            return {listing.rows: content}
        if listing.shape == "row" and isinstance(content, dict) and content:
            return {listing.rows: [content]}
        return content

    def _typed_decoder(self) -> msgspec.json.Decoder[Any]:
        page: Any = msgspec.defstruct(
            "Page",
            [("rows", list[self._converter.record]), ("marker", str | None, None)],  # type: ignore[name-defined]
            rename={"rows": self._listing.rows, "marker": self._listing.pager.marker_field or "marker"},
            forbid_unknown_fields=True,
        )
        return msgspec.json.Decoder(page)

    def _decode_typed(self, response: Response) -> DecodedPage[R] | None:
        try:
            page = self._fast.decode(json_body(response))
            records = self._converter.finish(page.rows)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
            return None
        refuse_repeated_names(response, self._listing.rows)
        return DecodedPage(response.call, records, page.marker or None)

    def _from_envelope(self, response: Response, envelope: Any, query: Query) -> DecodedPage[R]:
        listing = self._listing
        if listing.envelope.normalize is not None:
            envelope = listing.envelope.normalize(envelope)
        found = envelope if isinstance(envelope, dict) else {}
        if listing.rows in found:
            rows = self._rows(response, found)
        elif listing.envelope.is_empty(envelope):
            rows = []
        elif isinstance(envelope, dict):
            raise response.broken_page(f"the object has no {listing.rows!r}; it has {excerpts(envelope)}.")
        else:
            raise response.broken_page(f"expected an object with {listing.rows!r}, got {_kind(envelope)}.")
        self._check_echoes(response, found, rows, query)
        marker = listing.pager.marker(response, found.get(listing.pager.marker_field or ""))
        completed = [self._complete(response, found, row, query) for row in rows] if self._rows_change else rows
        return DecodedPage(response.call, self._records(response, completed), marker)

    def _rows(self, response: Response, envelope: Row) -> list[Row]:
        name = self._listing.rows
        if self._listing.envelope.is_error(envelope):
            raise response.broken_page(f"it has {name!r}, but also reports an error.")
        found = envelope[name]
        if found is None or found == {}:
            return []
        rows = [found] if isinstance(found, dict) else found
        id_field = self._listing.id_field
        if id_field is not None and isinstance(rows, list):
            rows = [{id_field: row} for row in rows]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise response.broken_page(f"{name!r} is not a list of objects.")
        if self._listing.shape == "row" and any(map(self._listing.envelope.is_error, rows)):
            raise response.broken_page("it reports an error.")
        return rows

    def _check_echoes(self, response: Response, envelope: Row, rows: list[Row], query: Query) -> None:
        for each in self._listing.filters:
            echo = each.echo if isinstance(each, ChoiceFilter) else None
            asked = {value for param, value in query.fixed if param == each.param}
            if echo is None or not asked:
                continue
            for place in (envelope, *rows):
                if place.get(echo) is not None and str(place[echo]) not in asked:
                    raise response.broken_page(f"it holds another {echo!r} than the one that was asked for.")

    def _complete(self, response: Response, envelope: Row, row: Row, query: Query) -> Row:
        listing = self._listing
        for name, alias in listing.aliases.items():
            if row.get(name) is None and alias in row:
                row = {name if field == alias else field: value for field, value in row.items() if field != name}
        for each in listing.path_ids:
            row = _with_path_id(response, envelope, row, each, query.path_ids)
        if listing.complete is not None:
            row = listing.complete(row, query)
        return row

    def _records(self, response: Response, rows: list[Row]) -> list[R]:
        known = self._converter.record
        records = self._converter.convert(response, rows)
        if self._converter.record is not known:
            self._fast = self._typed_decoder()
        return records


def _with_path_id(response: Response, envelope: Row, row: Row, path_id: PathId, asked: Mapping[str, str]) -> Row:
    """The row with an id of the path. The LMS need not repeat in a row what was asked for."""
    wanted = asked.get(path_id.name)
    if wanted is None:
        return row
    answered = row.get(path_id.field) or envelope.get(path_id.field)
    if answered in (None, wanted):
        return {**row, path_id.field: wanted}
    if path_id.response_field is None:
        raise response.broken_page(f"a row has another {path_id.field!r} than the one that was asked for.")
    return {**row, path_id.field: wanted, path_id.response_field: answered}


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}.get(type(value), "a number")
