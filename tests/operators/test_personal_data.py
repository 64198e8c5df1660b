"""What leaves a task: no personal data that it is told to leave out, and no field that is not declared in silence."""

from __future__ import annotations

import hmac
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsSchemaDrift, LmsUnavailable
from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator, ISpringUsersOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleEntityProgressOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from tests.conftest import RESULTS
from tests.storage.formats import need
from tests.tasks import execute

SECRET = "correct horse battery staple"
USERS = "GET /users/v2"


@pytest.fixture
def hashing(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The simulator, and connections with a secret for hashes."""
    set_secret(lms, monkeypatch, SECRET)
    return lms


def set_secret(lms: Simulator, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    connection = lms.connection("ispring_learn")
    extra = {**connection.get("extra", {}), "hash_secret": secret}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps({**connection, "extra": extra}))


def digest(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()


def written(folder: Path) -> str:
    """Everything in a folder, names and contents."""
    return "".join(f"{path}\n{path.read_text(errors='replace')}\n" for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("output_format", ["jsonl", "csv", "parquet", None])
def test_no_email_is_left_anywhere(
    hashing: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, output_format: Any
) -> None:
    if output_format is not None:
        need(output_format, None)
    caplog.set_level(logging.DEBUG)
    # A user's id is also in the users who are supervised by that user.
    hashed = ["userId", "subordination.supervisorId", "fields.EMAIL"]
    options: dict[str, Any] = {"task_id": "t", "hash_columns": hashed}
    plain = execute(ISpringUsersOperator(task_id="t"))
    assert isinstance(plain, list)
    emails = [row["fields"]["EMAIL"] for row in plain]
    assert len(set(emails)) == len(plain) > 1
    if output_format is None:
        result = execute(ISpringUsersOperator(**options))
        assert isinstance(result, list)
        records, place = result, str(result)
    else:
        summary = execute(ISpringUsersOperator(**options, output_path=str(tmp_path), output_format=output_format))
        assert isinstance(summary, dict)
        records, place = list(read_records(summary)), written(tmp_path) + str(summary)
    for secret in (*emails, *(row["userId"] for row in plain), SECRET):
        assert secret not in place
        assert secret not in caplog.text
    assert [row["fields"]["EMAIL"] for row in records] == [digest(email) for email in emails]
    assert [row["userId"] for row in records] == [digest(row["userId"]) for row in plain]
    assert records[1]["subordination"]["supervisorId"] == records[0]["userId"]


def test_the_manifest_describes_what_is_there(hashing: Simulator, tmp_path: Path) -> None:
    user = hashing.ispring.module_results()[0]["userId"]
    summary = execute(
        ISpringModuleResultsOperator(
            task_id="t",
            user_ids=user,
            columns=["userId", "courseId", "moduleId", "completionDate"],
            hash_columns="userId",
            output_path=str(tmp_path),
        )
    )
    manifest = read_manifest(summary["uri"])
    assert {column["name"] for column in manifest["schema"]} == {"userId", "courseId", "moduleId", "completionDate"}
    assert manifest["query"] == {"user_ids": [digest(user)], "on_unknown_user": "fail"}
    assert manifest["primary_key"] == [], "the enrollment's id is part of it, and is left out"
    assert manifest["watermark_field"] == "completionDate"
    assert len(manifest["hash_key_id"]) == 16


def test_an_email_in_a_filter_is_not_in_the_manifest(hashing: Simulator, tmp_path: Path) -> None:
    email = hashing.ispring.users[3].email
    for number, emails in enumerate((email, [email])):
        folder = tmp_path / str(number)
        options: dict[str, Any] = {"task_id": "t", "emails": emails, "output_path": str(folder)}
        summary = execute(ISpringUsersOperator(**options, hash_columns="fields.EMAIL", drop_columns="fields.LOGIN"))
        assert read_manifest(summary["uri"])["query"] == {"emails": "1 left out"}
        assert summary["records"] == 1
        assert email not in written(folder)


def test_a_checkpoint_holds_no_more_than_the_dataset(hashing: Simulator, tmp_path: Path) -> None:
    everybody = {row["userId"] for row in hashing.ispring.module_results()}
    task = ISpringModuleResultsOperator(
        task_id="t", page_size=5, part_bytes=1, drop_columns="userId", output_path=str(tmp_path), max_wait=0
    )
    hashing.ispring.fail(RESULTS, faults.status(403), on=4)
    with pytest.raises(Exception, match="403"):
        execute(task)
    assert (tmp_path / "_checkpoint.json").exists()
    assert not any(user in written(tmp_path) for user in everybody)
    execute(task)
    assert not any(user in written(tmp_path) for user in everybody)


def test_a_crawl_leaves_no_learner_in_its_checkpoint(lms: Simulator, tmp_path: Path) -> None:
    task = ZohoPeopleEntityProgressOperator(
        task_id="t",
        course_id=lms.zoho.courses[0].id,
        part_bytes=1,
        drop_columns=["learnerId", "responseLearnerId"],
        output_path=str(tmp_path),
    )
    learner = lms.zoho.world.everyone[1].id
    call = f"GET /api/v1/courses/{lms.zoho.courses[0].id}/learners/{learner}/progress"
    lms.zoho.fail(call, faults.status(403), on=4)
    with pytest.raises(Exception, match="403"):
        execute(task)
    assert (tmp_path / "_checkpoint.json").exists()
    assert not any(each.id in written(tmp_path) for each in lms.zoho.world.everyone)
    first = call.replace(learner, lms.zoho.world.everyone[0].id)
    before = lms.zoho.count(first)
    summary = execute(task)
    assert isinstance(summary, dict)
    assert summary["records"] == sum(len(lms.zoho.entity_progress(lms.zoho.courses[0], kind)) for kind in range(10))
    assert lms.zoho.count(first) == before, "the retry goes on with the second learner"


def test_a_retry_with_another_choice_reads_everything_again(
    hashing: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def task(**choice: Any) -> ISpringModuleResultsOperator:
        return ISpringModuleResultsOperator(
            task_id="t", page_size=5, part_bytes=1, output_path=str(tmp_path), max_wait=0, **choice
        )

    hashing.ispring.fail(RESULTS, faults.status(403), on=4)
    with pytest.raises(Exception, match="403"):
        execute(task(hash_columns="userId"))
    sent = hashing.ispring.count(RESULTS)
    set_secret(hashing, monkeypatch, SECRET + "2")
    summary = execute(task(hash_columns="userId"))
    assert isinstance(summary, dict)
    assert hashing.ispring.count(RESULTS) - sent == summary["pages"]
    assert len({row["userId"] for row in read_records(summary)}) == len(
        {row["userId"] for row in hashing.ispring.module_results()}
    )


def test_a_new_secret_is_noticed(
    hashing: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = ISpringUsersOperator(task_id="t", hash_columns=["userId"], output_path=str(tmp_path))
    execute(task)
    execute(task)
    assert "hash_secret has changed" not in caplog.text
    set_secret(hashing, monkeypatch, SECRET + "2")
    execute(task)
    assert "hash_secret has changed since the dataset before" in caplog.text
    assert SECRET not in caplog.text


def test_without_a_secret_nothing_is_sent(lms: Simulator) -> None:
    with pytest.raises(ValueError, match="hash_columns: the connection has no hash_secret"):
        execute(ISpringUsersOperator(task_id="t", hash_columns=["userId"]))
    assert lms.ispring.requests == []


def with_new_fields(page: dict[str, Any]) -> dict[str, Any]:
    rows = page["userProfiles"]
    return {**page, "userProfiles": [{**rows[0], "badge": "gold", "x\x1b[31m": 1, "a@b.example": 2}, *rows[1:]]}


def test_new_fields_are_reported_once_in_log_manifest_and_summary(
    lms: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lms.ispring.fail(USERS, faults.content(with_new_fields), times=2)
    summary = execute(ISpringUsersOperator(task_id="t", page_size=2, output_path=str(tmp_path)))
    assert isinstance(summary, dict)
    assert summary["new_fields"] == ["<e-mail>", "badge", "x?[31m"]
    assert read_manifest(summary["uri"])["new_fields"] == summary["new_fields"]
    assert next(read_records(summary))["_extra"] == {"badge": "gold", "x\x1b[31m": 1, "a@b.example": 2}
    told = [line for line in caplog.messages if "does not declare" in line]
    assert told == [
        "users: the LMS sends fields that this version of the package does not declare: <e-mail>, badge, x?[31m. "
        "They are kept in '_extra'."
    ]


def test_new_fields_survive_a_retry(lms: Simulator, tmp_path: Path) -> None:
    task = ISpringUsersOperator(task_id="t", page_size=2, part_bytes=1, output_path=str(tmp_path), max_wait=0)
    lms.ispring.fail(USERS, faults.content(with_new_fields))
    lms.ispring.fail(USERS, faults.status(403), on=3)
    with pytest.raises(Exception, match="403"):
        execute(task)
    summary = execute(task)
    assert isinstance(summary, dict)
    assert "badge" in summary["new_fields"]


@pytest.mark.parametrize("to_storage", [True, False])
def test_a_frozen_contract_fails_and_names_the_fields(lms: Simulator, tmp_path: Path, to_storage: bool) -> None:
    options: dict[str, Any] = {"task_id": "t", "schema_contract": "freeze"}
    if to_storage:
        options["output_path"] = str(tmp_path)
    execute(ISpringUsersOperator(**options))
    before = written(tmp_path)
    lms.ispring.fail(USERS, faults.content(with_new_fields))
    with pytest.raises(
        LmsSchemaDrift, match=r"users: the LMS sends fields .* declare: <e-mail>, badge, x\?\[31m\. Upgrade"
    ):
        execute(ISpringUsersOperator(**options))
    assert written(tmp_path) == before


def test_an_unknown_contract_is_refused(lms: Simulator) -> None:
    with pytest.raises(ValueError, match="schema_contract"):
        execute(ISpringUsersOperator(task_id="t", schema_contract="melt"))  # type: ignore[arg-type]
    assert lms.ispring.requests == []


def test_drift_is_no_outage() -> None:
    assert not LmsSchemaDrift.transient
    assert LmsUnavailable.transient
