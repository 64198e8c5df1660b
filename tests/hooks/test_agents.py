"""The hook methods that an AI agent calls: plain JSON in and out, bounded, and no more about people than asked for."""

from __future__ import annotations

import doctest
import inspect
import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from airflow_provider_lms.hooks import reading
from airflow_provider_lms.hooks.base import CourseHook
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.errors import LmsNotFound
from airflow_provider_lms.lms.listing.contract import fields_of
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.testing import fake_clock
from airflow_provider_lms.vendors import VENDORS
from tests.lms.test_moving_records import CALL as COURSES
from tests.lms.test_moving_records import Shelf

Hook = CourseHook[Any, Any, Any]

PAGE = Path(__file__).parent.parent.parent / "docs/develop/agents.md"
METHODS = ["list_listings", "describe_listing", "count_rows", "course_completion", "read_rows"]
JSON_TYPES = {
    str, int, str | None, int | None, list[str] | None, dict[str, Any] | None, dict[str, Any], list[dict[str, Any]],
}  # fmt: skip


@pytest.fixture(params=[ISpringLearnHook, ZohoPeopleHook], ids=lambda kind: kind.conn_type)
def hook(request: pytest.FixtureRequest, lms: Simulator) -> Hook:
    """The hook of each LMS."""
    lms.zoho.limits.requests = 100_000
    found: Hook = request.param()
    return found


@pytest.fixture
def ispring(lms: Simulator) -> ISpringLearnHook:
    return ISpringLearnHook()


@pytest.fixture
def zoho(lms: Simulator) -> ZohoPeopleHook:
    lms.zoho.limits.requests = 100_000
    return ZohoPeopleHook()


@pytest.mark.parametrize("method", METHODS)
def test_a_toolset_can_make_a_schema_of_each_method(method: str) -> None:
    function = getattr(ISpringLearnHook, method)
    hints = get_type_hints(function)
    assert set(hints.values()) <= JSON_TYPES
    parameters = [*inspect.signature(function).parameters][1:]
    assert [*hints] == [*parameters, "return"]
    described = re.findall(r":param (\w+): \S", function.__doc__)
    assert described == parameters


def test_every_listing_is_listed_with_its_columns_and_filters(hook: Hook) -> None:
    found = {each["name"]: each for each in hook.list_listings()}
    assert set(found) == set(VENDORS[hook.conn_type].listings())
    assert all(each["meaning"] and each["columns"] for each in found.values())
    assert found["courses"]["filters"] == []
    assert {"course_id", "course_ids"} <= set(found["course_modules"]["filters"])


def test_a_listing_is_described_in_full(ispring: ISpringLearnHook) -> None:
    found = ispring.describe_listing("course_results")
    assert found["columns"][0] == {
        "name": "userId", "type": "string", "meaning": "The learner.", "personal": "indirect",
    }  # fmt: skip
    filters = {each["name"]: each["takes"] for each in found["filters"]}
    assert filters["course_ids"] == "one or more ids"
    assert filters["completion_statuses"].startswith("one or more of not_started, in_progress,")
    assert filters["due_date_start"] == filters["due_date_end"] == "a date, such as 2026-01-31T00:00:00Z"
    assert not any(each["required"] for each in found["filters"])


def test_it_is_told_which_filters_are_required(zoho: ZohoPeopleHook) -> None:
    def required(listing: str) -> list[str]:
        return [each["name"] for each in zoho.describe_listing(listing)["filters"] if each["required"]]

    assert required("entity_progress") == ["course_id", "learner_id"]
    # All courses are read if none is named.
    assert required("course_modules") == []
    with pytest.raises(ValueError, match=r"^course_id: required\.$"):
        zoho.read_rows("entity_progress", {"learner_id": "1", "entity_type": "1"})


def test_nothing_is_sent_to_describe_listings(hook: Hook, lms: Simulator) -> None:
    for each in hook.list_listings():
        json.dumps(hook.describe_listing(each["name"]))
    assert lms.ispring.requests == lms.zoho.requests == []


def test_rows_are_plain_json_with_dates_as_text(ispring: ISpringLearnHook, lms: Simulator) -> None:
    found = ispring.read_rows("course_results", limit=1_000)
    assert json.loads(json.dumps(found)) == found
    assert len(found["rows"]) == len(lms.ispring.course_results())
    assert datetime.fromisoformat(found["rows"][0]["accessDate"])
    assert (found["complete"], found["left_out"], found["notes"]) == (True, [], [])


def test_the_first_rows_are_not_taken_for_all(hook: Hook) -> None:
    found = hook.read_rows("courses", limit=2)
    assert (len(found["rows"]), found["complete"]) == (2, False)
    assert found["notes"] == [
        "There may be more rows: at most 2 rows and 100 pages were to be read. Narrow the listing by filters."
    ]
    whole = hook.read_rows("courses", limit=3)
    assert (len(whole["rows"]), whole["complete"], whole["notes"]) == (3, True, [])
    assert hook.read_rows("course_modules", limit=1)["complete"] is False


def test_no_page_is_read_that_is_not_needed(zoho: ZohoPeopleHook, lms: Simulator) -> None:
    course = {"course_id": lms.zoho.courses[0].id}
    assert len(zoho.read_rows("course_progress", course, limit=25)["rows"]) == 25
    assert len(lms.zoho.calls) == 1


def test_a_question_costs_a_bounded_number_of_pages(
    zoho: ZohoPeopleHook, lms: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading.MAX_PAGES == 100
    monkeypatch.setattr(reading, "MAX_PAGES", 1)
    course = {"course_id": lms.zoho.courses[0].id}
    assert zoho.count_rows("course_progress", course) == {
        "count": 25,
        "complete": False,
        "notes": ["Only the first 1 pages were counted; there may be more. Narrow the listing by filters."],
    }
    found = zoho.read_rows("course_progress", course)
    assert (len(found["rows"]), found["complete"]) == (25, False)
    assert len(lms.zoho.calls) == 2


@pytest.mark.parametrize("method", ["count_rows", "read_rows"])
def test_it_is_told_if_records_came_or_went(method: str, zoho: ZohoPeopleHook, lms: Simulator) -> None:
    moving = Shelf(12, 5, {2: lambda ids: ids.pop(0), 4: lambda ids: ids.pop(0)})
    lms.zoho.fail(COURSES, moving.reply, times=1_000)
    found = getattr(zoho, method)("courses")
    note = "Records came or went while the listing was read, so some may be missing."
    assert (found["complete"], found["notes"]) == (False, [note])


def test_rows_are_counted(hook: Hook, lms: Simulator) -> None:
    people = "users" if hook.conn_type == "ispring_learn" else "employees"
    assert hook.count_rows(people) == {"count": lms.world.users, "complete": True, "notes": []}


@pytest.mark.parametrize("listing", ["course_results", "module_results"])
def test_filters_narrow_rows_and_counts(listing: str, ispring: ISpringLearnHook, lms: Simulator) -> None:
    course = lms.ispring.courses[1].id
    found = ispring.read_rows(listing, {"course_ids": [course], "user_statuses": None}, limit=1_000)["rows"]
    assert {each["courseId"] for each in found} == {course}
    assert ispring.count_rows(listing, {"course_ids": [course]})["count"] == len(found)


def test_a_range_of_dates_has_a_start_and_an_end(ispring: ISpringLearnHook) -> None:
    rows = ispring.read_rows("course_results", columns=["completionDate"], limit=1_000)["rows"]
    days = sorted(each["completionDate"] for each in rows if each["completionDate"] is not None)
    middle = days[len(days) // 2]
    after = ispring.count_rows("course_results", {"completion_date_start": middle})["count"]
    assert after == sum(day >= middle for day in days)
    both = {"completion_date_start": days[0], "completion_date_end": middle}
    assert ispring.count_rows("course_results", both)["count"] == sum(day <= middle for day in days)


def test_columns_that_identify_a_person_must_be_asked_for(zoho: ZohoPeopleHook) -> None:
    names = ["firstName", "lastName", "emailId", "reportingTo", "reportingToEmailId"]
    found = zoho.read_rows("employees", limit=1)
    assert found["left_out"] == names
    assert not {*names, "_extra"} & set(found["rows"][0])
    asked = zoho.read_rows("employees", columns=["erecno", "emailId"], limit=1)
    assert (set(asked["rows"][0]), asked["left_out"]) == ({"erecno", "emailId"}, [])
    assert asked["rows"][0]["emailId"]


def test_unknown_fields_must_be_asked_for(zoho: ZohoPeopleHook) -> None:
    assert "_extra" not in zoho.read_rows("courses", limit=1)["rows"][0]
    assert "_extra" in zoho.read_rows("courses", columns=["courseId", "_extra"], limit=1)["rows"][0]


def test_every_listing_has_columns_that_identify_nobody() -> None:
    for vendor in VENDORS.values():
        for listing in vendor.listings().values():
            assert any(field.personal != "direct" for field in fields_of(listing.record)), listing.name


def test_a_course_is_counted_and_nobody_is_named(hook: Hook, lms: Simulator) -> None:
    account: Any = lms.ispring if hook.conn_type == "ispring_learn" else lms.zoho
    course = account.courses[0].id
    lms.controls.complete(course, 7)
    found = hook.course_completion(course)
    assert set(found) == {
        "course_id", "learners", "completed", "pending", "unsuccessful", "overdue", "checked_at", "notes",
    }  # fmt: skip
    assert (found["course_id"], found["notes"]) == (course, [])
    assert found["completed"] >= 7
    assert found["completed"] + found["pending"] + found["unsuccessful"] == found["learners"] == 40
    assert all(isinstance(found[name], int) for name in ("learners", "completed", "pending", "overdue"))
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("describe_listing", {"listing": "tests"}, "listing: expected 'module_results' or 'course_results' or "),
        ("read_rows", {"listing": "tests"}, "listing: expected 'module_results' or 'course_results' or "),
        ("count_rows", {"listing": ""}, "listing: expected 'module_results' or 'course_results' or "),
        ("read_rows", {"listing": "courses", "limit": 0}, "limit: expected a whole number of at least 1, got 0."),
        ("read_rows", {"listing": "courses", "limit": 1_001}, "limit: expected at most 1000, got 1001."),
        ("read_rows", {"listing": "courses", "filters": {"start": "1"}},
         "filters: courses has no filter 'start'. It has none."),
        ("count_rows", {"listing": "group_members", "filters": {"groups": "1"}},
         "filters: group_members has no filter 'groups'. It has group_id, group_ids."),
        ("count_rows", {"listing": "courses", "filters": "all"}, "filters: expected the filters of the listing"),
        ("count_rows", {"listing": "course_results", "filters": {"completion_statuses": "done"}},
         "completion_statuses: 'done' is not one of iSpring's statuses"),
        ("count_rows", {"listing": "course_results", "filters": {"due_date_start": "soon"}}, "due_date_start: "),
        ("read_rows", {"listing": "courses", "columns": ["name"]}, "columns: courses has no column 'name'. It has"),
        ("read_rows", {"listing": "courses", "columns": []}, "columns: the list is empty."),
        ("course_completion", {"course_id": "Fire safety 1"}, "course_id: 'Fire safety 1' is a name, not an id."),
        ("course_completion", {"course_id": ""}, "course_id: each id must be a non-empty string, got ''."),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_before_anything_is_sent(
    method: str, arguments: dict[str, Any], message: str, ispring: ISpringLearnHook, lms: Simulator
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        getattr(ispring, method)(**arguments)
    assert lms.ispring.requests == []


def test_statuses_without_a_known_meaning_are_told(ispring: ISpringLearnHook, lms: Simulator) -> None:
    def archive(page: Any) -> Any:
        return {**page, "results": [{**row, "completionStatus": "archived"} for row in page["results"]]}

    lms.ispring.fail("GET /learners/results", faults.content(archive), times=10)
    found = ispring.course_completion(lms.ispring.courses[0].id)
    assert (found["completed"], found["pending"]) == (0, 40)
    assert found["notes"] == ["The LMS sent statuses that it does not document: archived. They count as not completed."]


def test_a_course_that_does_not_exist_is_no_empty_course(zoho: ZohoPeopleHook) -> None:
    with pytest.raises(LmsNotFound):
        zoho.course_completion("100002000019999999")


class ToolsetDouble:
    """Takes what the toolset of Airflow's common AI provider takes, which is not a dependency of this package."""

    made: list[ToolsetDouble]

    def __init__(
        self, hook: Hook, *, allowed_methods: list[str], tool_prefix: str = "", pinned_arguments: Any = None
    ) -> None:
        self.hook, self.methods, self.pinned = hook, allowed_methods, pinned_arguments or {}
        assert tool_prefix.isidentifier()
        for name in allowed_methods:
            assert set(self.pinned) <= set(inspect.signature(getattr(hook, name)).parameters)
        self.made.append(self)


@pytest.fixture
def common_ai(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules that the page imports, with doubles."""
    monkeypatch.setattr(ToolsetDouble, "made", [], raising=False)
    modules: dict[str, dict[str, object]] = {
        "airflow.providers.common.ai": {},
        "airflow.providers.common.ai.operators": {},
        "airflow.providers.common.ai.operators.agent": {"AgentOperator": dict},
        "airflow.providers.common.ai.toolsets": {"HookToolset": ToolsetDouble},
        "pydantic_ai": {"ModelRetry": RuntimeError},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


def _code(page: str) -> Iterator[str]:
    for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if not block.startswith(">>>"):
            # Below Airflow 3, DAG is imported from another place.
            yield block.replace("from airflow.sdk import", "from airflow.providers.common.compat.sdk import")


@pytest.mark.usefixtures("common_ai", "lms")
def test_the_examples_on_the_page_work() -> None:
    example, correcting = _code(PAGE.read_text())
    names: dict[str, Any] = {}
    exec(example, names)
    counts, courses = ToolsetDouble.made
    found = courses.hook.read_rows(**courses.pinned)
    assert [set(each) for each in found["rows"]] == [{"contentItemId", "title"}] * 3
    completion = getattr(counts.hook, counts.methods[0])(found["rows"][0]["contentItemId"])
    assert completion["learners"] == 40
    exec(correcting, names)
    assert issubclass(names["CorrectingHookToolset"], ToolsetDouble)


class _WithoutLog(doctest.OutputChecker):
    """Airflow 3.1 logs on stdout, between the results, what cannot be turned off."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, re.sub(r"^.*\[warning +\].*\n", "", got, flags=re.MULTILINE), optionflags)


def test_the_results_on_the_page_are_those_of_the_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path / "coordination.sqlite").as_uri())
    with fake_clock(datetime(2026, 9, 1, 9, tzinfo=UTC)), Simulator(World(as_of=date(2026, 9, 1))) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        blocks = re.sub(r"^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)
        test = doctest.DocTestParser().get_doctest(blocks, {"hook": ISpringLearnHook()}, PAGE.name, None, None)
        logging.disable(logging.WARNING)  # Airflow 2 logs on stdout, between the results
        try:
            result = doctest.DocTestRunner(_WithoutLog(), optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
        finally:
            logging.disable(logging.NOTSET)
    assert (result.attempted, result.failed) == (4, 0)


def test_the_page_lists_every_method() -> None:
    assert re.findall(r"^\| `(\w+)\(", PAGE.read_text(), re.MULTILINE) == METHODS
    own = {name for kind in (reading.ReadsListings, reading.CountsCompletions) for name in vars(kind)}
    assert {name for name in own if not name.startswith("_")} - {"get_conn", "course_reader"} == set(METHODS)
