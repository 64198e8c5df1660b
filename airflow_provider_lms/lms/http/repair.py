"""Reads documents in which single characters are damaged: one bad byte in a title must not make a listing unreadable.

Half an emoji, a control character or a byte of another encoding becomes U+FFFD. A document that is not whole stays
unreadable.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

REPLACEMENT = "\ufffd"

_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(x[0-9A-Fa-f]{1,8}|[0-9]{1,8});")


def parse_json(body: bytes) -> Any:
    """The content of a JSON document.

    :raises ValueError: it is damaged beyond single characters.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    return _without_surrogates(json.loads(text, strict=False, parse_constant=_refuse))


def xml_text(body: bytes) -> str:
    """An XML document as text, without its declaration.

    :raises LookupError: it declares an encoding that does not exist.
    """
    declared = _ENCODING.match(body.removeprefix(b"\xef\xbb\xbf").lstrip()[:512])
    encoding = declared[1].decode() if declared else json.detect_encoding(body)
    text = _DECLARATION.sub("", body.decode(encoding, "replace"), count=1)
    return _NOT_IN_XML.sub(REPLACEMENT, _REFERENCE.sub(_reference, text)).strip()


def _reference(found: re.Match[str]) -> str:
    """A character reference, unless XML does not allow the character."""
    number = int(found[1][1:], 16) if found[1][0] == "x" else int(found[1])
    is_allowed = number <= 0x10FFFF and not _NOT_IN_XML.match(chr(number))
    return found[0] if is_allowed else REPLACEMENT


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON.")
