"""Large pages in XML: their rows are taken out of the tree while it is built, and nothing else may differ by that."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsError, LmsGarbledResponse
from airflow_provider_lms.lms.http.documents import parse_xml_page
from airflow_provider_lms.lms.http.response import Response

MANY = 1_000


def page(rows: Iterable[str], end: str = "<next>2</next>") -> str:
    return f"<response><first>1</first><results>\n{''.join(rows)}</results>{end}</response>"


def row(number: int, more: str = "") -> str:
    return (
        f"<result><userId>ü{number}</userId><title>a &amp; b</title><empty/><groups><id>{number}</id></groups>"
        f"{more}</result>\n"
    )


def parsed(body: str | bytes) -> dict[str, Any]:
    content = body.encode() if isinstance(body, str) else body
    return parse_xml_page(Response("GET /results", 200, "application/xml", content), "results", "result", "response")


def test_all_rows_come_in_order_wherever_the_body_is_cut() -> None:
    rows = [{"userId": f"ü{number}", "title": "a & b", "groups": [str(number)]} for number in range(MANY)]
    for shift in range(64):
        body = f"<!--{'x' * shift}-->" + page(map(row, range(MANY)))
        assert parsed(body) == {"first": "1", "results": rows, "next": "2"}


def test_a_large_page_in_utf_16() -> None:
    body = '<?xml version="1.0" encoding="utf-16"?>' + page(map(row, range(MANY)))
    assert [each["userId"] for each in parsed(body.encode("utf-16"))["results"]] == [f"ü{n}" for n in range(MANY)]


@pytest.mark.parametrize("at", [0, MANY // 2, MANY - 1])
@pytest.mark.parametrize(
    ("odd", "error", "reason"),
    [
        ("<other/>", LmsBrokenPage, "<results> should hold <result> only; it has <other>, <result>."),
        (row(0, "<title>c</title>"), LmsBrokenPage, "an element occurs twice in another"),
        (row(0, "<empty/>"), LmsBrokenPage, "an element occurs twice in another"),
        (row(0, "<a>" * 5_000 + "</a>" * 5_000), LmsBrokenPage, "elements are nested too deeply"),
        ("<result>", LmsGarbledResponse, "the body is not well-formed XML"),
    ],
)
def test_what_is_wrong_with_one_row_is_told(at: int, odd: str, error: type[LmsError], reason: str) -> None:
    rows = [*map(row, range(at)), odd, *map(row, range(at + 1, MANY))]
    with pytest.raises(error, match=re.escape(reason)):
        parsed(page(rows))


@pytest.mark.parametrize("end", ["<results/>", "<results><result/></results>", "<next>1</next><next>2</next>"])
def test_what_stands_beside_many_rows_must_not_repeat(end: str) -> None:
    with pytest.raises(LmsBrokenPage, match="an element occurs twice in another"):
        parsed(page(map(row, range(MANY)), end))


@pytest.mark.parametrize("at", [0, MANY // 2, MANY - 1])
def test_one_damaged_character_leaves_the_other_rows_as_they_are(at: int) -> None:
    body = page(map(row, range(MANY))).encode().replace(f"ü{at}<".encode(), b"\xff%d<" % at)
    found = parsed(body)["results"]
    assert [each["userId"] for each in found] == [f"{'�' if n == at else 'ü'}{n}" for n in range(MANY)]


def test_a_large_page_takes_no_memory_for_a_tree_of_it() -> None:
    body = page(map(row, range(20 * MANY)))
    parsed(body)
    tracemalloc.start()
    try:
        found = parsed(body)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found["results"]) == 20 * MANY
    # The tree of the whole page would be several times as large as its text.
    assert peak - kept < 2 * len(body)
