"""Plans: their hash, their files, their limits, and what they say to people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.manifest import TaskInstanceKey, read_manifest
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.sync.changes import Action, Change, Reason, change
from airflow_provider_lms.sync.limits import Limits, check_removals
from airflow_provider_lms.sync.plan import Plan, PlanRefused, in_order
from airflow_provider_lms.sync.plan_files import load_plan, plan_folder, write_plan, write_report
from airflow_provider_lms.sync.summary import summarize_plan

MORNING, EVENING = datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 20, tzinfo=UTC)
CHANGES = (
    change(Action.ENROLL, person="amara@example.com", person_id="a", course_id="c", old={"enrolled": None}, new={}),
    change(Action.UPDATE, person_id="b", old={"JOB_TITLE": "Cook, “chef”"}, new={"JOB_TITLE": "Chef\n", "LOGIN": "b"}),
    change(Action.DEACTIVATE, person_id="d", old={"status": 1}, new={"status": 3}),
    change(Action.SKIP, person="x", reason=Reason.NOT_FOUND, row=3),
    change(Action.SKIP, person="x", reason=Reason.NOT_FOUND, row=4),
)


def plan(**fields: Any) -> Plan:
    given = {"kind": "people", "account": "ispring-learn://acme", "planned_at": MORNING, "settings": {"a": 1}}
    return Plan(**{**given, "changes": in_order(CHANGES), **fields})


def write(path: Path, made: Plan, kind: str = "jsonl") -> str:
    parts = PartOptions(Format.chosen(kind, None), 1_000_000, 60.0)
    return str(write_plan(made, "output_path", str(path), TaskInstanceKey(), parts)["uri"])


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_plan_is_the_same_when_it_is_read_back(kind: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    made = plan(unchanged=7, notes=["Two learners are no employees."], refusals=["Too many."])
    location = write(tmp_path, made, kind)
    found = load_plan(plan_folder({"plan": location}))
    assert found == made
    assert found.sha256 == made.sha256 == read_manifest(location)["query"]["sha256"]


@pytest.mark.parametrize(
    "other",
    [
        {"planned_at": EVENING},
        {"account": "ispring-learn://other"},
        {"settings": {"a": 2}},
        {"changes": in_order(CHANGES[1:])},
        {"unchanged": 1},
        {"refusals": ["No."]},
        {"notes": ["Hm."]},
        {"kind": "enrollments"},
    ],
)
def test_every_difference_is_another_plan(other: dict[str, Any]) -> None:
    assert plan(**other).sha256 != plan().sha256


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    write(tmp_path, plan())
    (part,) = tmp_path.glob("part-*.jsonl")
    part.write_text(part.read_text().replace('"b"', '"somebody else"'))
    with pytest.raises(PlanRefused, match=r"was changed after it was made"):
        load_plan(folder("plan", str(tmp_path)))


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    write(tmp_path, plan())
    path = tmp_path / "_manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "query": {}}))
    with pytest.raises(PlanRefused, match=r"holds no plan"):
        load_plan(folder("plan", str(tmp_path)))


def test_what_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^plan: there is no plan in "):
        load_plan(folder("plan", str(tmp_path)))
    made, parts = plan(), PartOptions(Format("jsonl", "none"), 10_000, 300)
    write_report(made, [], "output_path", str(tmp_path), TaskInstanceKey(), parts)
    with pytest.raises(PlanRefused, match=r"^plan: .* holds people_report, and no plan\."):
        load_plan(folder("plan", str(tmp_path)))


def test_only_the_plan_that_was_approved_may_be_applied() -> None:
    made = plan()
    made.check_approved(made.sha256, "people", made.account)
    made.check_approved(f" {made.sha256.upper()}\n", "people", made.account)  # as people copy it
    for nothing in (None, "", " "):
        with pytest.raises(PlanRefused, match=r"^approved_hash: it is empty"):
            made.check_approved(nothing, "people", made.account)
    for wrong in ("None", plan(planned_at=EVENING).sha256, made.sha256[:-1]):
        with pytest.raises(PlanRefused, match=r"^approved_hash: this is not the plan that was approved"):
            made.check_approved(wrong, "people", made.account)
    with pytest.raises(PlanRefused, match=r"^plan: it is about the account ispring-learn://acme"):
        made.check_approved(made.sha256, "people", "ispring-learn://other")
    with pytest.raises(PlanRefused, match=r"^plan: it is about people, and this operator changes enrollments"):
        made.check_approved(made.sha256, "enrollments", made.account)
    refused = plan(refusals=["Too many."])
    with pytest.raises(PlanRefused, match=r"must not be applied. Too many"):
        refused.check_approved(refused.sha256, "people", refused.account)


def test_people_come_before_their_enrollments_and_removals_come_last() -> None:
    assert [each.action for each in in_order(CHANGES)] == ["update", "enroll", "deactivate", "skip", "skip"]


def test_the_same_change_twice_is_a_defect() -> None:
    with pytest.raises(ValueError, match=r"are the same"):
        in_order([CHANGES[0], CHANGES[0]])


def test_the_summary_names_nobody() -> None:
    text = summarize_plan(plan(unchanged=7, notes=["Two are no employees."]), "s3://lake/plan")
    for part in (
        "Changes: 3, of which removals: 1.",
        "| enroll | 1 |",
        "| JOB_TITLE | 1 |",
        "| not_found | 2 |",
        "Two are",
    ):
        assert part in text
    assert text.endswith(f"Hash: `{plan(unchanged=7, notes=['Two are no employees.']).sha256}`")
    for private in ("amara", "Chef", "chef"):
        assert private not in text


def removals(count: int) -> list[Change]:
    return [change(Action.UNENROLL, person_id=f"{n}", course_id=c) for n in range(count) for c in ("c1", "c2")]


@pytest.mark.parametrize(
    ("limit", "managed", "removed", "is_too_many"),
    [
        ("5%", 100, 5, False),
        ("5%", 100, 6, True),
        ("5%", 19, 1, True),
        ("12.5 %", 8, 1, False),
        ("0%", 1000, 1, True),
        ("100%", 2, 2, False),
        (3, 10, 3, False),
        ("3", 10, 4, True),
        (0, 10, 1, True),
        (0, 10, 0, False),
    ],
)
def test_people_who_lose_something_are_limited(limit: Any, managed: int, removed: int, is_too_many: bool) -> None:
    found = Limits.parse(1000, limit).exceeded(removals(removed), managed)
    assert bool(found) == is_too_many
    assert not found or f"{removed} people would lose something" in found[0]


def test_changes_are_limited_and_what_is_skipped_is_none() -> None:
    assert not Limits.parse(3, "100%").exceeded(CHANGES, 1)
    (reason,) = Limits.parse(2, "100%").exceeded(CHANGES, 1)
    assert reason == "3 changes, and max_changes is 2."


@pytest.mark.parametrize("value", ["101%", "-1", "5 people", None, True, 1.5, "%"])
def test_a_limit_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^max_removals: expected"):
        Limits.parse(1, value)
    with pytest.raises(ValueError, match=r"^max_changes: expected"):
        Limits.parse(value, 1)


def test_nothing_is_removed_while_nobody_says_whose() -> None:
    check_removals("never", names_people=False)
    check_removals("unenroll", names_people=True)
    with pytest.raises(ValueError, match=r"^manage: removals='unenroll' needs departments or groups"):
        check_removals("unenroll", names_people=False)
