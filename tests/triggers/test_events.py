"""Event triggers report the completions of a simulated LMS."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_lms.lms.course.event_cursor import LATE_ARRIVAL_WINDOW
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.triggers.events import STATE_KEY, CourseCompletionEventTrigger
from airflow_provider_lms.vendors import VENDORS
from tests.triggers.conftest import Clients
from tests.triggers.watchers import RESULTS, Reported, Store, polls, until, watcher


class SeveralAssets:
    async def aget(self, _: str) -> Any:
        raise ValueError("Task has 2 concrete inlets and outlets")


def live(scenario: Callable[..., Coroutine[Any, Any, None]], *triggers: CourseCompletionEventTrigger) -> list[Reported]:
    """Run triggers during a scenario, then cancel them, as a triggerer does when it stops."""

    async def run() -> list[Reported]:
        reported = [Reported() for _ in triggers]
        tasks = [asyncio.create_task(each.listen(t.run())) for each, t in zip(reported, triggers, strict=True)]
        await scenario(*reported)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        return reported

    return asyncio.run(run())


def test_a_change_is_reported_and_a_state_is_not(lms: Simulator) -> None:
    course, (first, second, *_) = lms.ispring.courses[0], lms.ispring.users
    lms.ispring.record(first, course, "complete", completion=datetime.now(UTC) - timedelta(hours=1))
    lms.ispring.record(second, course, "in_progress")

    async def scenario(reported: Reported) -> None:
        await polls(lms)
        assert reported.events == []
        lms.ispring.record(second, course, "passed")
        await until(lambda: bool(reported.events))
        await polls(lms, 3)

    (reported,) = live(scenario, watcher(lms))
    (event,) = reported.events
    assert event["learner_ids"] == [second.id]
    assert event["course_id"] == course.id
    assert event["enrollment_ids"][0]
    assert datetime.fromisoformat(event["completed_at"][0]) <= datetime.fromisoformat(event["checked_at"])
    assert event["id"]


def test_a_poll_asks_only_for_what_is_new(lms: Simulator) -> None:
    async def scenario(_: Reported) -> None:
        await polls(lms)

    live(scenario, watcher(lms))
    request = next(request for request in lms.ispring.requests if request.call == RESULTS)
    since = datetime.fromisoformat(request.first("completionDate[startDate]") or "")
    assert abs(datetime.now(UTC) - LATE_ARRIVAL_WINDOW - since) < timedelta(minutes=1)
    assert request.all("completionStatuses[]") == ["complete", "passed", "accepted"]
    assert request.all("userStatuses[]") == ["1", "3", "5"]


def test_many_completions_are_split_and_none_is_cut(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_lms.triggers.events.MAX_IDS_PER_EVENT", 15)
    course = lms.ispring.courses[0]

    async def scenario(reported: Reported) -> None:
        await polls(lms)
        for user in lms.ispring.users:
            lms.ispring.record(user, course, "complete")
        await until(lambda: sum(reported.learners.values()) >= len(lms.ispring.users))
        await polls(lms)

    (reported,) = live(scenario, watcher(lms))
    assert reported.learners == Counter(user.id for user in lms.ispring.users)
    assert max(len(event["learner_ids"]) for event in reported.events) <= 15
    assert len({event["id"] for event in reported.events}) == len(reported.events)


def test_an_event_for_each_learner_is_an_option(lms: Simulator) -> None:
    course, users = lms.ispring.courses[0], lms.ispring.users[:3]

    async def scenario(reported: Reported) -> None:
        await polls(lms)
        for user in users:
            lms.ispring.record(user, course, "complete")
        await until(lambda: len(reported.events) == 3)

    (reported,) = live(scenario, watcher(lms, one_per_learner=True))
    assert [len(event["learner_ids"]) for event in reported.events] == [1, 1, 1]


def test_a_restart_loses_and_repeats_nothing(lms: Simulator) -> None:
    course, users, store = lms.ispring.courses[0], lms.ispring.users, Store()

    async def before(reported: Reported) -> None:
        await polls(lms)
        lms.ispring.record(users[0], course, "complete")
        await until(lambda: bool(reported.events))
        await polls(lms)

    async def after(reported: Reported) -> None:
        await until(lambda: bool(reported.events))
        lms.ispring.record(users[2], course, "complete")
        await until(lambda: len(reported.events) == 2)
        await polls(lms)

    (first,) = live(before, watcher(lms, store))
    lms.ispring.record(users[1], course, "complete")
    (second,) = live(after, watcher(lms, store))
    assert first.learners == Counter([users[0].id])
    assert second.learners == Counter([users[1].id, users[2].id])
    assert json.loads(store.kept[STATE_KEY]).keys() == {"since", "digests"}


def test_nothing_is_stored_where_nothing_has_changed(lms: Simulator) -> None:
    store = Store()

    async def scenario(_: Reported) -> None:
        await polls(lms, 5)

    live(scenario, watcher(lms, store))
    assert store.saved == 1


def test_zoho_people_is_watched_too_over_a_restart(lms: Simulator) -> None:
    course, store = lms.zoho.courses[1], Store()
    one, two, three = lms.zoho.world.everyone[:3]
    call = f"GET /api/v1/courses/{course.id}/batches"
    lms.zoho.finish(one, course)
    lms.zoho.limits.requests = 10_000

    async def before(reported: Reported) -> None:
        await polls(lms, 2, call)
        lms.zoho.finish(two, course)
        await until(lambda: bool(reported.events))
        await polls(lms, 2, call)

    async def after(reported: Reported) -> None:
        await until(lambda: bool(reported.events))
        await polls(lms, 2, call)

    options = {"course_id": course.id, "zoho_people_conn_id": "zoho_people_default"}
    (first,) = live(before, watcher(lms, store, **options))
    lms.zoho.finish(three, course)
    (second,) = live(after, watcher(lms, store, **options))
    assert first.learners == Counter([two.id])
    assert second.learners == Counter([three.id])
    assert second.events[0]["completed_at"] == second.events[0]["enrollment_ids"] == [None]


def test_zoho_courses_with_too_many_completions_are_refused_and_named(
    lms: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("airflow_provider_lms.lms.zoho_people.completions.MAX_TRACKED", 3)
    course = lms.zoho.courses[0]
    lms.zoho.limits.requests = 10_000
    for learner in lms.zoho.world.everyone[:4]:
        lms.zoho.finish(learner, course)

    async def scenario(_: Reported) -> None:
        await until(lambda: "can be tracked" in caplog.text)

    live(scenario, watcher(lms, course_id=course.id, zoho_people_conn_id="zoho_people_default"))
    assert "course_id: 4 learners have completed the course. Without dates, no more than 3" in caplog.text


@pytest.mark.parametrize("fault", [faults.status(503), faults.status(403), faults.html_page(), faults.truncated()])
def test_a_failure_is_logged_and_the_next_poll_follows(
    lms: Simulator, fault: faults.Fault, caplog: pytest.LogCaptureFixture
) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]
    lms.ispring.fail(RESULTS, fault, times=2)

    async def scenario(reported: Reported) -> None:
        await polls(lms, 3)
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(reported.events))

    (reported,) = live(scenario, watcher(lms))
    assert reported.learners == Counter([user.id])
    assert user.id not in caplog.text
    assert user.email not in caplog.text


def test_an_invalid_parameter_is_named_at_each_poll_and_leaves_no_client_open(
    lms: Simulator, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(_: Reported) -> None:
        await until(lambda: caplog.text.count("completed_statuses: the list is empty") >= 3)

    live(scenario, watcher(lms, completed_statuses=[]))
    assert len(clients.made) == len(clients.closed) >= 3


def test_several_assets_with_one_watcher_report_without_a_state(
    lms: Simulator, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]

    async def scenario(reported: Reported) -> None:
        await polls(lms)
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(reported.events))

    (reported,) = live(scenario, watcher(lms, SeveralAssets()))
    assert reported.learners == Counter([user.id])
    assert "Several assets watch course" in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("given", [{}, {"ispring_learn_conn_id": "a", "zoho_people_conn_id": "b"}])
def test_exactly_one_connection_must_be_given(given: Any) -> None:
    with pytest.raises(ValueError, match="exactly one connection: ispring_learn_conn_id or zoho_people_conn_id"):
        CourseCompletionEventTrigger(course_id="c", **given)


def test_an_error_names_the_connection_of_every_supported_lms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_lms.triggers.events.VENDORS", {"zoho_people": VENDORS["zoho_people"]})
    with pytest.raises(ValueError, match=r"exactly one connection: zoho_people_conn_id\.$"):
        CourseCompletionEventTrigger(course_id="c")


def test_what_could_not_be_stored_is_stored_with_the_next_poll(lms: Simulator) -> None:
    course, user = lms.ispring.courses[0], lms.ispring.users[0]

    class Flaky(Store):
        fails = 0

        async def aset(self, key: str, value: Any) -> None:
            if self.fails:
                self.fails -= 1
                raise ConnectionError
            await super().aset(key, value)

    store = Flaky()

    async def first(reported: Reported) -> None:
        await polls(lms)
        store.fails = 1
        lms.ispring.record(user, course, "complete")
        await until(lambda: bool(reported.events))
        await polls(lms, 3)

    async def second(_: Reported) -> None:
        await polls(lms, 3)

    (before,) = live(first, watcher(lms, store))
    (after,) = live(second, watcher(lms, store))
    assert (before.learners, after.events) == (Counter([user.id]), [])


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_of_nothing_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match="poll_interval: expected more than 0 seconds"):
        CourseCompletionEventTrigger(course_id="c", ispring_learn_conn_id="a", poll_interval=interval)


def test_one_status_and_a_timedelta_are_taken_too() -> None:
    made = CourseCompletionEventTrigger(
        course_id="c",
        ispring_learn_conn_id="a",
        completed_statuses="passed",
        poll_interval=timedelta(minutes=1),
    )
    _, kwargs = made.serialize()
    assert (kwargs["completed_statuses"], kwargs["poll_interval"]) == (["passed"], 60.0)
