"""Refuses JSON in which an object has a name twice. Parsers would keep the last value and say nothing."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from airflow_provider_lms.lms.http.documents import json_body
from airflow_provider_lms.lms.http.response import Response

_BETWEEN_ROWS = re.compile(r"[\s,]*")
_SMALL = 32_768
_SAMPLE = 1_024


def refuse_repeated_names(response: Response, rows: str) -> None:
    """Refuse a page of rows in which an object has a name twice.

    A small page is checked as a whole. Of a large one, whatever stands beside the rows and the first rows are checked,
    since all of it would take longer than to decode it: who repeats names does so in every row.

    :param rows: the name of the list of rows.
    :raises LmsBrokenPage: an object has a name twice.
    """
    body = json_body(response)
    try:
        if len(body) <= _SMALL or not _sample_is_enough(body, f'"{rows}"'.encode()):
            _check(body)
    except _RepeatedName:
        raise response.broken_page("a name occurs twice in one object, so its value is not known.") from None
    except (ValueError, RecursionError):
        raise response.garbled("the body is not well-formed JSON. Nothing from this page was kept.") from None


def _sample_is_enough(body: bytes, rows: bytes) -> bool:
    """Check a sample of a large page; return False if all of it has to be checked."""
    start, end = body.find(b"["), body.rfind(b"]")
    # Where there is only one bracket, which is quickly found, there is only one list.
    if body.find(b"]") < end and body.count(rows) > 1:
        return False
    try:
        _check(body[: start + 1] + body[end:])  # with the rows taken out, what is left is small
    except ValueError:
        return False  # these were not the brackets of the rows
    text, at = body[start + 1 : start + 1 + _SAMPLE].decode(errors="replace"), 0
    with suppress(ValueError):  # the last row is cut
        while at < len(text):
            _, at = _DECODER.raw_decode(text, _BETWEEN_ROWS.match(text, at).end())  # type: ignore[union-attr]
    return True


class _RepeatedName(Exception):
    """An object has a name twice."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _RepeatedName


# Not strict, since a page with a damaged character has been read as well.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, strict=False)


def _check(body: bytes) -> None:
    _DECODER.decode(body.decode(json.detect_encoding(body), "replace"))
