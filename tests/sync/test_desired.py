"""The desired state in every shape that a pipeline may have it in."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.operators.ispring import ISpringUsersOperator
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.sync.changes import Reason
from airflow_provider_lms.sync.desired import as_bool, as_day, as_text, read_desired
from airflow_provider_lms.sync.matching import Matching

KNOWN, REQUIRED = ("person", "course_id", "due_date"), ("person", "course_id")
ROWS: list[dict[str, Any]] = [
    {"email": "a@example.com", "course_id": "c1", "salary": 1},
    {"email": "b@example.com", "course_id": "c2"},
]
READ = [{"person": "a@example.com", "course_id": "c1"}, {"person": "b@example.com", "course_id": "c2"}]


def read(source: object, columns: object = None) -> list[dict[str, Any]]:
    return [*read_desired(source, columns, KNOWN, REQUIRED, {"person": "email"})]


def write(path: Path) -> str:
    names = ["email", "course_id"]
    rows: list[dict[str, Any]] = [{name: row[name] for name in names} for row in ROWS]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    else:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


@pytest.mark.parametrize("name", ["hr.csv", "hr.jsonl", "hr.parquet"])
def test_files_are_read(name: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / name)) == READ
    assert read(f"file://{tmp_path / name}") == READ


def test_rows_of_another_task_are_read() -> None:
    assert read(ROWS) == READ
    assert read(iter(ROWS)) == READ


def test_rows_of_a_query_are_read_by_their_places() -> None:
    rows = [["c1", None, "a@example.com"], ("c2", None, "b@example.com")]
    assert read(rows, {"person": 2, "course_id": 0}) == READ


def test_columns_may_have_other_names() -> None:
    rows = [{"mail": "a@example.com", "training": "c1", "due": "2026-01-01"}]
    assert read(rows, {"person": "mail", "course_id": "training", "due_date": "due"}) == [
        {"person": "a@example.com", "course_id": "c1", "due_date": "2026-01-01"}
    ]


def test_a_template_gives_columns_as_text() -> None:
    assert read([{"mail": "a", "course_id": "c"}], '{"person": "mail"}') == [{"person": "a", "course_id": "c"}]
    with pytest.raises(ValueError, match=r"^columns: the text starts like a JSON object but is not one"):
        read(ROWS, "{'person': 'mail'}")


def test_a_template_gives_rows_as_text() -> None:
    assert read(json.dumps(ROWS)) == READ
    with pytest.raises(ValueError, match=r"^desired: the text starts like JSON but is not") as caught:
        read(str(ROWS))
    assert "example.com" not in str(caught.value)


def test_no_message_quotes_a_file(tmp_path: Path) -> None:
    headless, latin, broken = (tmp_path / name for name in ("a.csv", "b.csv", "c.jsonl"))
    headless.write_text("amara@example.com,Amara,c1\nbence@example.com,Bence,c2\n")
    latin.write_bytes("email,course_id\nzoë@example.com,c1\n".encode("latin-1"))
    broken.write_text('{"email": "amara@example.com", "course_id"')
    for path in (headless, latin, broken):
        with pytest.raises(ValueError, match=r"^desired: ") as caught:
            read(str(path))
        assert "example.com" not in str(caught.value)


def test_datasets_are_read(lms: Simulator, tmp_path: Path) -> None:
    summary = ISpringUsersOperator(task_id="t", output_path=str(tmp_path)).execute({})
    columns = {"person": "userId", "course_id": "departmentId"}
    for source in (summary, str(tmp_path), [summary]):
        assert [row["person"] for row in read(source, columns)] == [user.id for user in lms.ispring.users]


def test_a_dataset_that_lacks_rows_is_refused(lms: Simulator, tmp_path: Path) -> None:
    ISpringUsersOperator(task_id="t", output_path=str(tmp_path), page_size=10, max_pages=1).execute({})
    assert len(lms.ispring.users) > 10
    with pytest.raises(ValueError, match=r"^desired: the dataset in .* may lack rows"):
        read(str(tmp_path), {"person": "userId", "course_id": "departmentId"})


@pytest.mark.parametrize("source", [[], (), iter(())])
def test_nothing_at_all_is_taken_for_a_mistake(source: object) -> None:
    with pytest.raises(ValueError, match=r"^desired: there are no rows"):
        read(source)


@pytest.mark.parametrize(
    ("source", "columns", "message"),
    [
        (None, None, "desired: expected a dataset"),
        (7, None, "desired: expected a dataset"),
        ({"email": "a"}, None, "desired: this object is not the summary"),
        (["a@example.com"], None, "desired: row 1 is str"),
        (
            [{"email": "a"}],
            None,
            "desired: row 1 has no column 'course_id' for course_id. Number of columns: 1",
        ),
        (
            [{"mail": "a", "course_id": "c"}],
            None,
            "desired: row 1 has no column 'email' for person. Number of columns: 2",
        ),
        ([["a", "c"]], None, r"desired: row 1 has no column 'email' for person. It has 2 values without names"),
        (ROWS, {"who": "email"}, "columns: 'who' is not one of person, course_id, due_date"),
        (ROWS, {"person": None}, "columns: expected a name or a number for 'person'"),
        (ROWS, "email", "columns: expected an object"),
        ("relative/hr.csv", None, "desired: .* is relative"),
    ],
)
def test_what_cannot_be_read_is_named(source: object, columns: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        read(source, columns)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_column_of_a_file_with_a_misspelled_name_is_refused(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "desired.csv"
    path.write_text(separator.join(["mail", "training", "untill"]) + "\n" + separator.join(["a", "c", "2026-12-31"]))
    columns = {"person": "mail", "course_id": "training", "due_date": "until"}
    message = {",": r"^columns: no row has 'until' for due_date\.", ";": "commas between its columns"}[separator]
    with pytest.raises(ValueError, match=message):
        [*read_desired(str(path), columns, ("person", "course_id", "due_date"), ("person",), {})]


def test_a_column_that_no_object_has_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Objects may leave out what has no value."""
    rows = [{"mail": "a"}, {"mail": "b"}]
    columns = {"person": "mail", "due_date": "until"}
    assert len([*read_desired(rows, columns, ("person", "due_date"), ("person",), {})]) == 2
    assert "columns: no row has 'until' for due_date." in caplog.text


@pytest.mark.parametrize("source", ["nothing.csv", "nothing"])
def test_a_source_that_is_not_there_is_named(source: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"^desired: .*{source}"):
        [*read_desired(str(tmp_path / source), None, ("person",), ("person",), {})]


def test_a_row_in_the_middle_without_a_column_is_named() -> None:
    with pytest.raises(ValueError, match=r"^desired: row 2 has no column 'course_id'"):
        read([ROWS[0], {"email": "b@example.com"}])


def test_values_are_read_as_people_and_spreadsheets_write_them() -> None:
    assert [as_text(value) for value in (" a ", "", None, 17, 17.0, float("nan"), "  ")] == [
        "a", None, None, "17", "17", None, None,
    ]  # fmt: skip
    days = (date(2026, 1, 2), datetime(2026, 1, 2, 3), "2026-01-02", " 2026-01-02T23:00-05:00", "2026-01-02 23:00:00")
    assert {as_day("d", value) for value in days} == {date(2026, 1, 2)}
    assert as_day("d", "") is as_day("d", None) is None
    for wrong in ("2026", "2026-13-01", "01.02.2026", "20260102"):
        with pytest.raises(ValueError, match=r"^d: expected a day"):
            as_day("d", wrong)
    assert [as_bool("b", value) for value in (True, "Yes", "1", 0, "inactive", "", None)] == [
        True, True, True, False, False, None, None,
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"^active: expected true, yes"):
        as_bool("active", "maybe")
    with pytest.raises(ValueError, match=r"^due_date: expected a day such as 2026-12-31.$"):
        as_day("due_date", "soon")


def test_people_are_found_or_not_and_never_guessed() -> None:
    people: Matching[str] = Matching()
    people.add("Amara", "amara@example.com", "17")
    people.add("Bence", "17", None, "")
    assert people.find(" AMARA@example.com") == ("Amara", None, ["Amara"])
    assert people.find("17") == (None, Reason.AMBIGUOUS, ["Amara", "Bence"])
    assert people.find("18") == (None, Reason.NOT_FOUND, ())
    assert people.find(None) == (None, Reason.NO_PERSON, ())
