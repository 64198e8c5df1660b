"""From the bytes of a response to its content, in JSON or XML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NoReturn, TypeAlias
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import unescape

import msgspec

from airflow_provider_lms.lms.excerpt import excerpts
from airflow_provider_lms.lms.http import repair
from airflow_provider_lms.lms.http.response import BYTE_ORDER_MARK, Response

Kind: TypeAlias = Literal["json", "xml"]

_XML_STEP = 16_384
"""How many bytes of XML are parsed before the rows among them become dicts. Their elements are then still in the
processor's cache, and their memory is used again for the next rows: this takes less time than to parse first."""
_JSON_TYPES = ("/json", "+json")
_XML_TYPES = ("/xml", "+xml")
_JSON_STRING_FIELD = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")')
_XML_TEXT_FIELD = re.compile(rb"([^<]+)<")
# Whatever an XML parser or a codec raises for a document that is not one.
_NOT_XML = (expat.ExpatError, ElementTree.ParseError, LookupError, ValueError, RecursionError)
_NOT_JSON = (msgspec.DecodeError, ValueError, RecursionError)


def document_kind(response: Response) -> Kind:
    """Whether the body is JSON or XML.

    The content decides, since servers send JSON as ``text/html`` or with no content type at all. Where the first bytes
    say nothing, as in UTF-16, the content type does.

    :raises LmsGarbledResponse: neither. HTML is the usual case, for example the sign-in page of a wrong host.
    """
    start = response.body[:512].removeprefix(BYTE_ORDER_MARK).lstrip()
    if start[:1] in (b"{", b"["):
        return "json"
    is_web_page = response.is_web_page
    if start[:1] == b"<" and not is_web_page:
        return "xml"
    if start and not is_web_page and response.content_type.endswith(_JSON_TYPES):
        return "json"
    if start and not is_web_page and response.content_type.endswith(_XML_TYPES):
        return "xml"
    found = "an empty body" if not start else "a web page" if is_web_page else "neither"
    raise response.garbled(
        f"expected JSON or XML, got {found} ({response.content_type or 'no content type'}). "
        "Is the connection's host that of the API, with its path?"
    )


def parse_document(response: Response) -> Any:
    """The content of a small document as dicts, lists and scalars; for XML, the children of the root.

    :raises LmsGarbledResponse: not well-formed, or neither JSON nor XML.
    :raises LmsBrokenPage: the XML declares a document type.
    """
    if document_kind(response) == "json":
        return parse_json(response)
    import xmltodict

    refuse_dtd(response)
    try:
        root = xmltodict.parse(response.body, disable_entities=True)
    except _NOT_XML:
        raise _malformed(response, "XML") from None
    return next(iter(root.values()))


def parse_json(response: Response) -> Any:
    """The content of a JSON document.

    :raises LmsGarbledResponse: not well-formed, and more than single characters are damaged.
    """
    try:
        return msgspec.json.decode(json_body(response))
    except _NOT_JSON:
        pass
    try:
        return repair.parse_json(json_body(response))
    except (ValueError, RecursionError):
        raise _malformed(response, "JSON") from None


def json_body(response: Response) -> bytes:
    """The body without a byte order mark, which JSON parsers refuse."""
    return response.body.removeprefix(BYTE_ORDER_MARK)


def parse_xml_page(
    response: Response, rows: str, row: str, root_tag: str, shape: Literal["page", "rows", "row"] = "page"
) -> dict[str, Any]:
    """A page of rows in XML, in the shape that the same page has in JSON.

    :param rows: the element that holds the rows, a child of the root.
    :param row: the element of one row; empty if it is not known.
    :param root_tag: the root element. A page without ``rows`` must have it, or an error page would pass as empty.
    :param shape: ``page`` as above; ``rows`` if the rows are the root's children; ``row`` if the root is the only row.
    :return: the texts of the root's children by name, and under ``rows`` a list of dicts. Empty elements are absent.
    :raises LmsGarbledResponse: not well-formed.
    :raises LmsBrokenPage: of another kind, an element occurs twice, or other elements stand among the rows.
    """
    refuse_dtd(response)
    parsed = _parse_row_by_row(response.body, rows, row) if shape == "page" and row else None
    root, first_rows = parsed or (_xml_root(response), [])
    if shape != "page":
        if root.tag != root_tag or (root.text or "").strip():
            raise response.broken_page(f"expected <{root_tag}> with elements, got {excerpts([f'<{root.tag}>'])}.")
        return {rows: _rows_of(response, root, row) if shape == "rows" else _only_row(response, root)}
    envelope: dict[str, Any] = {child.tag: _text_or_fields(child) for child in root if child.tag != rows}
    listing = root.find(rows)
    if listing is None and (root.tag != root_tag or (root.text or "").strip()):
        found = excerpts([f"<{root.tag}>"])
        raise response.broken_page(f"expected <{root_tag}> with <{rows}>, got {found} without it.")
    if len(envelope) + (listing is not None) < len(root):
        raise _repeated(response)
    if listing is not None:
        is_text = not len(listing) and (listing.text or "").strip()
        envelope[rows] = listing.text if is_text else first_rows + _rows_of(response, listing, row)
    return envelope


def peek_text_field(response: Response, name: str) -> str | None:
    """A text field near the end of a page, found without parsing the page. The decoder has the last word on it."""
    start = response.body[:512].removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    is_json = start == b"{"
    if not is_json and start != b"<":
        return None
    word, pattern = (f'"{name}"', _JSON_STRING_FIELD) if is_json else (f"<{name}>", _XML_TEXT_FIELD)
    at = response.body.rfind(word.encode())
    found = pattern.match(response.body, at + len(word)) if at >= 0 else None
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=str) if is_json else unescape(found[1].decode())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def refuse_dtd(response: Response) -> None:
    """Refuse a document type declaration. Entity bombs and external entities need one, and no LMS sends one.

    :raises LmsBrokenPage: the document declares one.
    :raises LmsGarbledResponse: it does not begin as XML.
    """

    def doctype(*_: object) -> NoReturn:
        raise _HasDoctype

    def root(*_: object) -> NoReturn:
        raise _RootReached

    scanner = expat.ParserCreate()
    scanner.StartDoctypeDeclHandler = doctype
    scanner.StartElementHandler = root
    try:
        scanner.Parse(response.body, True)
    except _RootReached:
        return
    except _HasDoctype:
        raise response.broken_page("the XML declares a document type, which no LMS does.") from None
    except _NOT_XML:
        raise _malformed(response, "XML") from None


class _HasDoctype(Exception):
    """Ends a scan at a document type declaration."""


class _RootReached(Exception):
    """Ends a scan at the root element."""


class _RepeatedElement(Exception):
    """An element that should occur once occurs twice."""


def _malformed(response: Response, kind: str) -> Exception:
    return response.garbled(f"the body is not well-formed {kind}. Nothing from this page was kept.")


def _repeated(response: Response) -> Exception:
    return response.broken_page("an element occurs twice in another, so its value is not known.")


def _xml_root(response: Response) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(response.body)  # noqa: S314  # documents with a DTD were just refused
    except _NOT_XML:
        pass
    try:
        return ElementTree.fromstring(repair.xml_text(response.body))  # noqa: S314
    except _NOT_XML:
        raise _malformed(response, "XML") from None


def _parse_row_by_row(body: bytes, rows: str, row: str) -> tuple[ElementTree.Element, list[Any]] | None:
    """The root without most of its rows, and these rows as dicts.

    None if anything is unusual. Then the document has to be parsed as a whole, which tells what is wrong.
    """
    builder = ElementTree.TreeBuilder()
    parser = ElementTree.XMLParser(target=builder)  # noqa: S314  # documents with a DTD were just refused
    listing: ElementTree.Element | None = None
    found: list[Any] = []
    try:
        for at in range(0, len(body), _XML_STEP):
            parser.feed(body[at : at + _XML_STEP])
            if listing is None:
                listing = _child_so_far(builder, rows)
            if listing is not None:
                if len(listing.findall(row)) < len(listing):
                    return None
                found += map(_row_fields, listing[:-1])  # the parser may still be inside the last one
                del listing[:-1]
        root = parser.close()
    except (*_NOT_XML, _RepeatedElement):
        return None
    return None if listing is None or len(listing.findall(row)) < len(listing) else (root, found)


def _child_so_far(builder: ElementTree.TreeBuilder, name: str) -> ElementTree.Element | None:
    # In C, close() only hands over the root, and building goes on. It is None before the root has begun.
    try:
        root: ElementTree.Element | None = builder.close()
    except AssertionError:  # where there is only the Python version, it insists on the end of the document
        return None
    return None if root is None else root.find(name)


def _text_or_fields(element: ElementTree.Element) -> Any:
    return [child.tag for child in element] if len(element) else element.text


def _element_fields(element: ElementTree.Element) -> dict[str, Any]:
    """The children by name. An element without text is a field without a value."""
    fields: dict[str, Any] = {}
    for child in element:  # a fifth faster than as a comprehension, and every field of every row passes here
        if len(child):
            fields[child.tag] = _nested(child)
        elif (text := child.text) is not None:
            fields[child.tag] = text
    # Fewer fields than elements: some are empty, or one occurs twice.
    if len(fields) < len(element) and len({child.tag for child in element}) < len(element):
        raise _RepeatedElement
    return fields


def _nested(element: ElementTree.Element) -> Any:
    """A list if the children are alike (``<fields><field>``, ``<groups><id>``), otherwise an object."""
    tags = {child.tag for child in element}
    if len(tags) == 1 and (len(element) > 1 or tags <= {element.tag.removesuffix("s"), "id"}):
        return [_element_fields(child) if len(child) else child.text for child in element]
    return _element_fields(element)


def _rows_of(response: Response, listing: ElementTree.Element, row: str) -> list[Any]:
    """The rows as dicts; where a row is only a text, such as an id, the text."""
    if row and any(child.tag != row for child in listing):
        raise response.broken_page(f"<{listing.tag}> should hold <{row}> only; it has {_tags(listing)}.")
    try:
        return list(map(_row_fields, listing))
    except _RepeatedElement:
        raise _repeated(response) from None
    except RecursionError:
        raise response.broken_page("elements are nested too deeply.") from None


def _row_fields(row: ElementTree.Element) -> Any:
    return _element_fields(row) if len(row) else row.text or {}


def _only_row(response: Response, root: ElementTree.Element) -> list[Any]:
    try:
        return [_element_fields(root)] if len(root) else []
    except _RepeatedElement:
        raise _repeated(response) from None
    except RecursionError:
        raise response.broken_page("elements are nested too deeply.") from None


def _tags(element: Iterable[ElementTree.Element]) -> str:
    return excerpts(f"<{child.tag}>" for child in element)
