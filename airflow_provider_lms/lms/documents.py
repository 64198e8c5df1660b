"""From the bytes of an answer to its content, in JSON or XML; whatever is not whole is refused.

A page of rows is decoded straight into typed records. A field that the record type does not know widens the type,
so that the field is kept.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, get_type_hints
from xml.etree import ElementTree
from xml.parsers import expat

import msgspec

from airflow_provider_lms.lms.errors import LmsBrokenPage

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Answer:
    """What an LMS sent back.

    :param call: the endpoint and page for messages, as in ``GET /learners/results, page 3``.
    :param status: the HTTP status.
    :param content_type: the media type, lower case, without parameters.
    :param body: the whole body, decompressed.
    :param retry_after: seconds the LMS asks to wait, if it does.
    :param location: the host that a redirect names, if it is one.
    """

    call: str
    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None
    location: str | None = None

    def broken(self, reason: str) -> LmsBrokenPage:
        return LmsBrokenPage(f"{self.call}: {reason} Nothing of this page was kept.", self.status)


@dataclass(frozen=True)
class Resource(Generic[R]):
    """A paged listing.

    :param path: the endpoint, below the base URL.
    :param record: the type of a row; its fields' encoded names are the vendor's.
    :param rows: the name of the list in JSON, and of its element in XML.
    :param row: the name of a row's element in XML.
    :param token: the name of the continuation.
    """

    path: str
    record: type[R]
    rows: str
    row: str
    token: str


@dataclass(frozen=True)
class Rows(Generic[R]):
    """One page's content: typed records and the continuation, if there is one; ``call`` names the page in messages."""

    call: str
    records: list[R]
    next: str | None


class _HasDoctype(Exception):
    """Ends a scan at a document type."""


class _RootReached(Exception):
    """Ends a scan at the root element."""


def parse(answer: Answer) -> Any:
    """The content of a small document as dicts, lists and scalars; for XML the children of the root.

    :raises LmsBrokenPage: not well-formed, or neither JSON nor XML.
    """
    if _is_json(answer):
        return _json(answer)
    import xmltodict

    _refuse_dtd(answer)
    try:
        root = xmltodict.parse(answer.body, disable_entities=True)
    except (expat.ExpatError, ValueError):
        raise answer.broken("the body is not well-formed XML.") from None
    return next(iter(root.values()))


class PageDecoder(Generic[R]):
    """Decodes pages of a listing: flat rows and, unless it is the last page, a continuation."""

    def __init__(self, resource: Resource[R]) -> None:
        self._rows, self._row, self._token = resource.rows, resource.row, resource.token
        self._adopt(resource.record)

    def __call__(self, answer: Answer) -> Rows[R]:
        """The records and continuation of one page.

        :raises LmsBrokenPage: the body is not a whole page of this shape.
        """
        if _is_json(answer):
            records, token = self._from_json(answer)
        else:
            _refuse_dtd(answer)
            with _no_garbage_collection():
                records, token = self._from_xml(answer)
        self._to_utc(records)
        return Rows(answer.call, records, token or None)

    def _adopt(self, record: type[R]) -> None:
        self._record = record
        self._known = frozenset(record.__struct_encode_fields__)
        self._dates = [field for field, hint in get_type_hints(record).items() if hint in (datetime, datetime | None)]
        page: Any = msgspec.defstruct(
            "Page",
            [("rows", list[record]), ("token", str | None, None)],  # type: ignore[valid-type]
            rename={"rows": self._rows, "token": self._token},
        )
        self._fast = msgspec.json.Decoder(page, strict=False)

    def _from_json(self, answer: Answer) -> tuple[list[R], str | None]:
        try:
            page = self._fast.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._from_envelope(answer, _json(answer))
        return page.rows, page.token

    def _from_envelope(self, answer: Answer, envelope: Any) -> tuple[list[R], str | None]:
        if envelope is None or envelope == []:
            return [], None
        if not isinstance(envelope, dict):
            raise answer.broken(f"expected an object with {self._rows!r}, got {_kind(envelope)}.")
        token = envelope.get(self._token)
        if self._rows not in envelope and not envelope.keys() <= {self._token}:
            raise answer.broken(f"the object has no {self._rows!r}; it has {', '.join(sorted(envelope))}.")
        if not isinstance(token, str | None):
            raise answer.broken(f"{self._token!r} is {_kind(token)}, not text.")
        found = envelope.get(self._rows)
        if found is None or found == {}:
            found = []
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise answer.broken(f"{self._rows!r} is not a list of objects.")
        return self._typed(answer, found), token

    def _from_xml(self, answer: Answer) -> tuple[list[R], str | None]:
        try:
            root = ElementTree.fromstring(answer.body)  # noqa: S314  # documents with a DTD were just refused
        except ElementTree.ParseError:
            raise answer.broken("the body is not well-formed XML; it may end too early.") from None
        listing, token = root.find(self._rows), root.findtext(self._token)
        if listing is None:
            if any(child.tag != self._token for child in root):
                raise answer.broken(f"<{root.tag}> has no <{self._rows}>; it has {_tags(root)}.")
            return [], token
        if any(row.tag != self._row for row in listing):
            raise answer.broken(f"<{self._rows}> should hold <{self._row}> only; it has {_tags(listing)}.")
        return self._typed(answer, [_fields(row) for row in listing]), token

    def _typed(self, answer: Answer, rows: list[dict[str, Any]]) -> list[R]:
        try:
            return msgspec.convert(rows, list[self._record], strict=False)  # type: ignore[name-defined]
        except msgspec.ValidationError:
            self._widen({field for row in rows for field in row} - self._known)
        try:
            return msgspec.convert(rows, list[self._record], strict=False)  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            raise answer.broken(_row_fault(str(error))) from None

    def _widen(self, fields: set[str]) -> None:
        """Let the record type hold further fields, whatever their values."""
        if not fields:
            return
        extra = {f"extra_{number}": name for number, name in enumerate(sorted(fields), start=len(self._known))}
        known = dict(zip(self._record.__struct_fields__, self._record.__struct_encode_fields__, strict=True))
        wider: Any = msgspec.defstruct(
            self._record.__name__,
            [(attribute, Any, None) for attribute in extra],
            bases=(self._record,),
            rename=known | extra,
            kw_only=True,
        )
        self._adopt(wider)

    def _to_utc(self, records: list[R]) -> None:
        for field in self._dates:
            for record in records:
                moment = getattr(record, field)
                if moment is not None and moment.tzinfo is not UTC:
                    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                    setattr(record, field, aware.astimezone(UTC))


def _is_json(answer: Answer) -> bool:
    if answer.content_type.endswith(("/json", "+json")):
        return True
    if answer.content_type.endswith(("/xml", "+xml")) and answer.content_type != "application/xhtml+xml":
        return False
    raise answer.broken(
        f"expected JSON or XML, got {answer.content_type or 'no content type'}. "
        "Is the connection's host that of the API, with its path?"
    )


def _json(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise answer.broken("the body is not well-formed JSON; it may end too early.") from None


def _refuse_dtd(answer: Answer) -> None:
    """A DTD is all that entity bombs and external entities have in common; no LMS sends one."""

    def doctype(*_: object) -> None:
        raise _HasDoctype

    def root(*_: object) -> None:
        raise _RootReached

    scanner = expat.ParserCreate()
    scanner.StartDoctypeDeclHandler = doctype
    scanner.StartElementHandler = root
    try:
        scanner.Parse(answer.body, True)
    except _RootReached:
        return
    except _HasDoctype:
        raise answer.broken("the XML declares a document type, which no LMS does.") from None
    except expat.ExpatError:
        raise answer.broken("the body is not well-formed XML.") from None


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """For a page's tree: thousands of objects, no cycle. Collecting while it grows would go through all of Airflow."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _fields(element: ElementTree.Element) -> dict[str, Any]:
    """The children by name; an element without text is a field without a value."""
    return {
        child.tag: _nested(child) if len(child) else child.text
        for child in element
        if child.text is not None or len(child)
    }


def _nested(element: ElementTree.Element) -> Any:
    """A list where the children are alike (``<fields><field>``, ``<groups><id>``), else an object."""
    tags = {child.tag for child in element}
    if len(tags) == 1 and (len(element) > 1 or tags <= {element.tag.removesuffix("s"), "id"}):
        return [_fields(child) if len(child) else child.text for child in element]
    return _fields(element)


def _row_fault(error: str) -> str:
    """The decoder's word on a row, with the row's number and without the path's syntax."""
    reason, _, path = error.partition(" - at `$")
    row = re.match(r"\[(\d+)\](?:\.(\w+))?", path)
    if row is None:
        return f"a row has not the declared shape ({reason})."
    field = f", field {row[2]!r}" if row[2] else ""
    return f"row {int(row[1]) + 1}{field} has not the declared shape ({reason})."


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}.get(type(value), "a number")


def _tags(element: Iterable[ElementTree.Element]) -> str:
    return ", ".join(sorted({f"<{child.tag}>" for child in element})) or "nothing"
