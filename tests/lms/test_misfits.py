"""One value never decides over a whole listing: what does not fit its field is kept aside, and nothing else is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms.errors import LmsBrokenPage, LmsError
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.results import COURSE_RESULTS
from airflow_provider_lms.lms.listing.decoder import PageDecoder
from airflow_provider_lms.lms.listing.pagers import DecodedPage
from airflow_provider_lms.lms.listing.records import Record, RecordConverter, WholeNumber
from airflow_provider_lms.lms.zoho_people.listings.progress import COURSE_PROGRESS
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from tests.tasks import execute

CALL = "GET /learners/results"
ROW = {"userId": "u", "courseId": "c", "completionStatus": "passed"}
NEEDS_PYARROW = pytest.mark.skipif(find_spec("pyarrow") is None, reason="Parquet needs pyarrow")


def decoded(body: bytes, decoder: PageDecoder[Any] | None = None) -> DecodedPage[Any]:
    response = Response(CALL, 200, "application/json", body)
    return (decoder or PageDecoder(COURSE_RESULTS)).decode(response, COURSE_RESULTS.query({}))


def page_of(*rows: dict[str, Any], decoder: PageDecoder[Any] | None = None) -> DecodedPage[Any]:
    return decoded(json.dumps({"results": rows}).encode(), decoder)


def xml_page_of(*rows: dict[str, str], decoder: PageDecoder[Any] | None = None) -> DecodedPage[Any]:
    body = "".join(
        "<result>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in row.items()) + "</result>"
        for row in rows
    )
    response = Response(CALL, 200, "application/xml", f"<response><results>{body}</results></response>".encode())
    return (decoder or PageDecoder(COURSE_RESULTS)).decode(response, COURSE_RESULTS.query({}))


ODD_VALUES: dict[tuple[str, str], list[Any]] = {
    ("dueDate", "due_date"): [
        *("", [], {}, False, 0, 1_769_817_600, 1_769_817_600_000, "0", "0000-00-00", "31.01.2026", "soon"),
        *("2026-01-31T10:00:00+03", "0001-01-01T00:00:00+05:00", "2026-02-30T00:00:00Z"),
    ],
    ("timeSpent", "time_spent"): [12.7, "9,09", "50%", "", True, 2**63, "9" * 30, [1]],
    ("progress", "progress"): ["NaN", "inf", "-Infinity", "9,09", "50%", "", {}, False],
    ("isOverdue", "is_overdue"): ["maybe", 2, "", [], "2026-01-31"],
    ("courseTitle", "course_title"): [7, 7.5, True, [], {"en": "Fire"}],
}
MISFITS = [(name, attribute, value) for (name, attribute), values in ODD_VALUES.items() for value in values]


@pytest.mark.parametrize(("name", "attribute", "value"), MISFITS)
def test_a_value_that_does_not_fit_is_null_and_kept(name: str, attribute: str, value: Any) -> None:
    other = {**ROW, "userId": "v", "progress": 50.0, "timeSpent": 7, "isOverdue": False, "courseTitle": "Fire"}
    page = page_of({**ROW, name: value}, {**other, "dueDate": "2026-01-31T00:00:00Z"})
    first, second = page.records
    assert getattr(first, attribute) is None
    assert first.extra == {name: value}
    assert (first.user_id, first.completion_status) == ("u", "passed")
    assert (second.extra, second.progress, second.due_date) == ({}, 50.0, datetime(2026, 1, 31, tzinfo=UTC))
    assert page.misfits == {attribute}
    if isinstance(value, str) and value and name != "courseTitle":
        (from_xml,) = xml_page_of({**ROW, name: value}).records
        assert (getattr(from_xml, attribute), from_xml.extra) == (None, {name: value})


@pytest.mark.parametrize(
    ("name", "attribute", "value", "expected"),
    [
        ("dueDate", "due_date", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("dueDate", "due_date", "2026-01-31T02:00:00+02:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("dueDate", "due_date", "2026-01-31T00:00:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("timeSpent", "time_spent", "12", 12),
        ("timeSpent", "time_spent", 12.0, 12),
        ("timeSpent", "time_spent", 2**63 - 1, 2**63 - 1),
        ("progress", "progress", "99.5", 99.5),
        ("isOverdue", "is_overdue", "true", True),
        ("isOverdue", "is_overdue", 0, False),
    ],
)
def test_what_can_be_read_is_no_misfit(name: str, attribute: str, value: Any, expected: object) -> None:
    (record,) = page_of({**ROW, name: value}).records
    assert (getattr(record, attribute), record.extra) == (expected, {})


@pytest.mark.parametrize("value", [None, "", 7, 1.00002000000032143e17, [], {}, True])
@pytest.mark.parametrize("name", ["userId", "courseId"])
def test_what_is_no_id_breaks_the_page(name: str, value: Any) -> None:
    with pytest.raises(LmsBrokenPage, match="does not have the declared shape"):
        page_of({**ROW, name: value})
    with pytest.raises(LmsBrokenPage, match="does not have the declared shape"):
        page_of({key: item for key, item in ROW.items() if key != name})


@pytest.mark.parametrize("learner", [1.00002000000032143e17, "", None, [], True])
def test_a_double_is_no_id_of_zoho(learner: Any) -> None:
    body = json.dumps({"code": 200, "courseProgress": [{"courseId": 1, "learnerId": learner}]}).encode()
    with pytest.raises(LmsBrokenPage, match="does not have the declared shape"):
        PageDecoder(COURSE_PROGRESS).decode(
            Response(CALL, 200, "application/json", body), COURSE_PROGRESS.query({"course_id": "1"})
        )


def test_a_field_that_never_fits_has_changed() -> None:
    decoder = PageDecoder(COURSE_RESULTS)
    rows = [{**ROW, "userId": str(number), "dueDate": "31.01.2026"} for number in range(10)]
    page_of(*rows[:9], decoder=decoder)
    page_of(*rows, decoder=decoder)
    with pytest.raises(LmsBrokenPage, match=r"none of the 20 values of 'dueDate' so far fits this field"):
        page_of(rows[0], decoder=decoder)


def test_one_value_that_fits_is_enough_to_go_on() -> None:
    decoder = PageDecoder(COURSE_RESULTS)
    page_of({**ROW, "dueDate": "2026-01-31"}, decoder=decoder)
    rows = [{**ROW, "userId": str(number), "dueDate": 0} for number in range(100)]
    assert all(record.extra == {"dueDate": 0} for record in page_of(*rows, decoder=decoder).records)


def test_a_field_of_the_vendor_by_our_name_is_kept() -> None:
    page = page_of({**ROW, "_extra": "theirs"}, {**ROW, "userId": "v", "progress": "?"}, ROW | {"userId": "w"})
    assert [record.extra for record in page.records] == [{"_extra": "theirs"}, {"progress": "?"}, {}]


def test_what_cannot_be_a_column_is_kept_aside() -> None:
    odd = {"a\x00b": 1, 'quo"te': 2, "back\\slash": 3}
    many = {f"field {number}": number for number in range(1_000)}
    page = page_of({**ROW, **odd, "new": 4}, {**ROW, "userId": "v", **many})
    assert [record.extra for record in page.records] == [{**odd, "new": 4}, many]
    small = page_of({**ROW, **odd, "new": 4})
    assert msgspec.to_builtins(small.records[0])["_extra"] == small.records[0].extra == {**odd, "new": 4}
    assert small.new_fields == {"a?b", 'quo"te', "back\\slash", "new"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-7.50", -7.5),
        ("0", 0),
        ("unlimited", "unlimited"),
        ("12 of 20", "12 of 20"),
        ("", ""),
        ("NaN", "NaN"),
        ("1e5", "1e5"),
        ("9" * 40, "9" * 40),
        ("١٢", "١٢"),
    ],
)
def test_a_number_may_come_as_a_text_where_texts_are_allowed(text: str, value: float | str) -> None:
    class Mark(Record, kw_only=True):
        mark: WholeNumber | float | str | None = None

    (record,) = RecordConverter(Mark).convert(Response("GET /marks", 200, "application/json", b""), [{"mark": text}])
    assert (record.mark, type(record.mark)) == (value, type(value))


def test_misfits_are_told_once_with_their_count(
    lms: Simulator, connect: Callable[..., ISpringLearnClient], caplog: pytest.LogCaptureFixture
) -> None:
    def change(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "results": [{**row, "dueDate": "soon"} for row in page["results"][:3]] + page["results"][3:]}

    client = connect(lms, page_size=20)
    lms.ispring.fail(CALL, faults.content(change), times=2)
    read = [record for page in client.course_results() for record in page.records]
    client.close()
    client.close()
    assert sum(record.extra == {"dueDate": "soon"} for record in read) == 6
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told.startswith("course_results: 6 values of 'dueDate' do not fit this field.")


@pytest.mark.parametrize("output_format", ["jsonl", "csv", pytest.param("parquet", marks=NEEDS_PYARROW)])
def test_every_format_keeps_misfits(lms: Simulator, tmp_path: Path, output_format: Any) -> None:
    odd = {"dueDate": 0, "timeSpent": "9,09", "_extra": "theirs"}
    lms.ispring.fail(
        CALL, faults.content(lambda page: {**page, "results": [{**page["results"][0], **odd}, *page["results"][1:]]})
    )
    summary = execute(
        ISpringCourseResultsOperator(task_id="t", output_path=str(tmp_path / "data"), output_format=output_format)
    )
    assert isinstance(summary, dict)
    records = list(read_records(summary))
    kept = [row["_extra"] for row in records if row.get("_extra")]
    assert [json.loads(each) if isinstance(each, str) else each for each in kept] == [odd]
    assert len(records) == len(list(lms.ispring.course_results()))
    manifest = read_manifest(str(tmp_path / "data"))
    assert (manifest["watermark"] is not None, manifest["consistent"]) == (True, True)


def test_a_misfit_in_the_watermark_stops_the_watermark(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {"completionDate": "yesterday"}
    lms.ispring.fail(
        CALL, faults.content(lambda page: {**page, "results": [{**page["results"][0], **odd}, *page["results"][1:]]})
    )
    path = str(tmp_path / "data")
    summary = execute(ISpringCourseResultsOperator(task_id="t", page_size=10, part_bytes=1_000, output_path=path))
    assert isinstance(summary, dict)
    assert len(summary["files"]) > 1
    assert summary["watermark"] is None
    assert [file["watermark_known"] for file in read_manifest(path)["files"]].count(False) == 1


NESTED: Any = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=12),
        st.sampled_from(["2026-01-31", "0000-00-00", "NaN", "1e999", "\ud83d", "\x00", "9" * 40, "None"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [*COURSE_RESULTS.record.__struct_encode_fields__, "new", "_extra", "self", "", "\x00", "a b", "\u2028"]
)


@given(odd=st.lists(st.dictionaries(NAMES, NESTED, max_size=6), max_size=4))
def test_any_values_are_records_or_an_error(odd: list[dict[str, Any]]) -> None:
    try:
        page = page_of(*({**ROW, **row} for row in odd))
    except LmsError:
        return
    assert len(page.records) == len(odd)
    delivered = msgspec.json.decode(msgspec.json.encode(page.records))
    for row, sent in zip(delivered, odd, strict=True):
        for name, value in sent.items():
            if (name, value) == ("_extra", None):
                continue  # whatever else is kept aside has this name
            # What was sent is in its field, or aside. Floats may have become integers, and texts numbers or dates.
            kept = {**row, **row.get("_extra", {})}.get(name)
            assert (kept is None) == (value is None)


SOUND = {"results": [{**ROW, "progress": 50.5, "dueDate": "2026-01-31T00:00:00Z"}] * 2, "nextPageToken": "t"}
SOUND_JSON = json.dumps(SOUND).encode()
SOUND_XML = (
    b'<?xml version="1.0" encoding="utf-8"?><response><results><result><userId>u</userId><courseId>c</courseId>'
    b"<completionStatus>passed</completionStatus><progress>50.5</progress></result></results></response>"
)


ODD = [b"[" * 3_000, b"<a>" * 3_000, b"\xff", b'"', b"&", b"&#0;", b"\\ud83d"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sound page in which a few bytes are cut out, replaced or put in."""
    body = draw(st.sampled_from([SOUND_JSON, SOUND_XML, SOUND_JSON.decode().encode("utf-16"), b""]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 20))
        odd = draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b"[" * 3_000, b"<a>" * 3_000, b"\xff", b'"', b"&"]))
        )
        body = body[:at] + odd + body[at + cut :]
    return body


@given(body=damaged(), media=st.sampled_from(["application/json", "application/xml", "text/html", "", "x/y; z"]))
def test_any_document_is_a_page_or_an_error(body: bytes, media: str) -> None:
    try:
        page = PageDecoder(COURSE_RESULTS).decode(Response(CALL, 200, media, body), COURSE_RESULTS.query({}))
    except LmsError as error:
        shown = str(error)
    else:
        shown = ""
        assert all(record.user_id and record.course_id for record in page.records)
    assert shown.isprintable()
    assert len(shown) < 400


@pytest.mark.parametrize("field", ["userId", "courseId"])
def test_a_damaged_byte_in_a_title_is_replaced_and_in_an_id_breaks_the_page(field: str) -> None:
    row = {**ROW, "courseTitle": "Fire"}
    in_title = json.dumps({"results": [row]}).encode().replace(b"Fire", b"F\xffire \\ud83d")
    assert decoded(in_title).records[0].course_title == "F\ufffdire \ufffd"
    in_id = json.dumps({"results": [{**row, field: "x-id"}]}).encode().replace(b"x-id", b"x-\xffid")
    with pytest.raises(LmsBrokenPage, match="has a damaged character"):
        decoded(in_id)
