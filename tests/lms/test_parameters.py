"""Parameters as DAG authors give them: whatever is invalid is refused by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms.lms import parameters
from airflow_provider_lms.lms.course.criteria import parse_share

SECOND = datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["None", " None ", '["a", "None"]'])
def test_the_text_none_of_a_template_is_refused(text: str) -> None:
    for parse in (parameters.parse_ids, parameters.parse_id):
        with pytest.raises(ValueError, match="course_ids: "):
            parse("course_ids", text)


@pytest.mark.parametrize("text", ["", "  ", "[]", '[""]', "..", ".", "a\nb", "a\x00"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"course_ids: .*(non-empty|empty|not an id)"):
        parameters.parse_ids("course_ids", text)


def test_an_empty_range_is_refused_whatever_its_microseconds() -> None:
    """``data_interval_start`` and ``data_interval_end`` of a manual run are the same moment on Airflow 3."""
    with pytest.raises(ValueError, match=r"completion_date: the start .* must be before the end"):
        parameters.parse_date_range("completion_date", (SECOND, SECOND))
    later = SECOND + timedelta(microseconds=1)
    assert parameters.parse_date_range("completion_date", (SECOND, later)) == (
        SECOND.replace(microsecond=0),
        SECOND.replace(microsecond=0) + timedelta(seconds=1),
    )


@pytest.mark.parametrize(
    "value",
    [
        (None, datetime.max),
        (None, datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), None),
        ("None", None),
        ("", None),
        (None, "9999-12-31T23:59:59-12:00"),
        (None, "P1Y"),
        (float("nan"), None),
    ],
)
def test_a_date_that_cannot_be_sent_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"due_date_(start|end): "):
        parameters.parse_date_range("due_date", value)


@pytest.mark.parametrize("share", ["0", "1e-999999999", "1e999999999", "nan", "inf", "1/0", "-1", "101%", "None", ""])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(ValueError, match="required_share: expected a share"):
        parse_share("required_share", share)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=14)))),
    st.lists(st.one_of(st.none(), st.text(), st.integers()), max_size=3),
    st.tuples(st.one_of(st.none(), st.text(), st.datetimes()), st.one_of(st.none(), st.text(), st.datetimes())),
    st.sampled_from(["[", "[[]]", '["\\ud800"]', "None", "1e400", "9" * 5_000, "2026-13-01", "0000-00-00", "\ud800"]),
)


@pytest.mark.parametrize(
    "parse",
    [
        parameters.parse_ids,
        parameters.parse_id,
        parameters.parse_date_range,
        parameters.parse_datetime,
        parameters.parse_int,
        lambda name, value: parameters.parse_float(name, value, 0),
        parse_share,
    ],
    ids=["ids", "id", "date range", "datetime", "int", "float", "share"],
)
@given(value=ANYTHING)
def test_a_value_is_taken_or_refused_by_name(parse: Callable[[str, Any], object], value: Any) -> None:
    error = ""
    try:
        parse("name", value)
    except ValueError as refused:
        error = str(refused)
    assert not error or error.startswith("name")
