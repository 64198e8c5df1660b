"""From the bytes of an answer to its content, in JSON or XML; whatever is not whole is refused.

A page of rows is decoded straight into typed records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import unescape

import msgspec

from airflow_provider_lms.lms.answers import Answer
from airflow_provider_lms.lms.memory import no_garbage_collection
from airflow_provider_lms.lms.records import RecordConverter

R = TypeVar("R", bound=msgspec.Struct)


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


_IN_JSON = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")')
_IN_XML = re.compile(rb"([^<]+)<")


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


def announced(answer: Answer, name: str) -> str | None:
    """The continuation that a page seems to name, found without reading the page; the decoder has the last word.

    :param name: what the continuation is called.
    """
    word, pattern = (f'"{name}"', _IN_JSON) if _is_json(answer) else (f"<{name}>", _IN_XML)
    at = answer.body.rfind(word.encode())
    found = pattern.match(answer.body, at + len(word)) if at >= 0 else None
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=str) if pattern is _IN_JSON else unescape(found[1].decode())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class PageDecoder(Generic[R]):
    """Decodes pages of a listing: flat rows and, unless it is the last page, a continuation."""

    def __init__(self, resource: Resource[R]) -> None:
        self._rows, self._row, self._token = resource.rows, resource.row, resource.token
        self._converter = RecordConverter(resource.record)
        self._fast = self._decoder()

    def __call__(self, answer: Answer) -> Rows[R]:
        """The records and continuation of one page.

        :raises LmsBrokenPage: the body is not a whole page of this shape.
        """
        if _is_json(answer):
            records, token = self._from_json(answer)
        else:
            _refuse_dtd(answer)
            with no_garbage_collection():
                records, token = self._from_xml(answer)
        return Rows(answer.call, self._converter.in_utc(records), token or None)

    def _decoder(self) -> msgspec.json.Decoder[Any]:
        page: Any = msgspec.defstruct(
            "Page",
            [("rows", list[self._converter.record]), ("token", str | None, None)],  # type: ignore[name-defined]
            rename={"rows": self._rows, "token": self._token},
        )
        return msgspec.json.Decoder(page, strict=False)

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
        known = self._converter.record
        records = self._converter.convert(answer, rows)
        if self._converter.record is not known:
            self._fast = self._decoder()
        return records


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


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}.get(type(value), "a number")


def _tags(element: Iterable[ElementTree.Element]) -> str:
    return ", ".join(sorted({f"<{child.tag}>" for child in element})) or "nothing"
