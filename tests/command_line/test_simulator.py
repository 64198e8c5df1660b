"""The commands that steer a running simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.simulator import Simulator
from airflow_provider_lms.simulator.control_requests import ControlRequests
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.testing import fake_clock
from tests.command_line.conftest import Result, Shell

Steer = Callable[[str], Result]


@pytest.fixture
def steer(lms: Simulator, shell: Shell) -> Steer:
    """Carries out a command of the running simulator."""
    port = lms.url.rpartition(":")[2]
    return lambda line: shell(f"simulator {line} --port {port}")


def test_learners_complete_a_course(lms: Simulator, steer: Steer) -> None:
    course = lms.zoho.courses[0]
    result = steer(f"complete {course.id} --learners 3")
    assert (result.code, result.out) == (0, f"zoho_people: 3 learners have completed course {course.id}.\n")
    assert lms.zoho.course_states()[0].completed == 3


def test_who_has_completed_it_is_told_as_json(lms: Simulator, steer: Steer) -> None:
    course = lms.zoho.courses[0]
    assert json.loads(steer(f"complete {course.id} --json").out) == {
        "zoho_people": {"course_id": course.id, "learner_ids": [lms.zoho.world.everyone[0].id]}
    }


def test_chosen_learners_complete_a_course(lms: Simulator, steer: Steer) -> None:
    course, chosen = lms.zoho.courses[0], [each.id for each in lms.zoho.world.everyone[3:5]]
    shown = steer(f"complete {course.id} --learner {chosen[0]} --learner {chosen[1]} --json").out
    assert json.loads(shown) == {"zoho_people": {"course_id": course.id, "learner_ids": chosen}}


def test_a_request_fails_before_anything_is_done(lms: Simulator, steer: Steer) -> None:
    steer("fail --status 503 --before --times 2 --lms ispring_learn")
    call = Request(call="POST /users/terminate", query=(), headers={}, form={})
    reply = lms.reply(call)
    # Nobody looked at the missing token.
    assert reply.status == 503
    steer("fail --status 503 --lms zoho_people")
    assert lms.reply(call).status == 503
    assert lms.reply(call).status == 401


def test_the_next_request_fails(lms: Simulator, steer: Steer, shell: Shell) -> None:
    assert steer("fail").out == "The next request will fail with 403.\n"
    assert shell("head courses --lms ispring_learn").code == 3
    assert shell("head courses --lms ispring_learn").code == 0


def test_some_requests_of_one_call_fail(lms: Simulator, steer: Steer, shell: Shell) -> None:
    shown = steer("fail --status 404 --call 'GET /users/v2' --times 2 --lms ispring_learn").out
    assert shown == "The next 2 requests GET /users/v2 will fail with 404.\n"
    codes = [shell(f"head {name} --lms ispring_learn").code for name in ("courses", "users", "users", "users")]
    assert codes == [0, 3, 3, 0]


def test_an_account_is_locked(lms: Simulator, steer: Steer) -> None:
    with fake_clock():
        assert steer("lock --seconds 90 --lms zoho_people").out == "Locked for 90 s.\n"
        assert (lms.zoho.lock_seconds_left, lms.ispring.lock_seconds_left) == (90, 0)


def test_tokens_are_revoked(lms: Simulator, steer: Steer, shell: Shell) -> None:
    shell("head courses --lms zoho_people")
    assert steer("revoke").out == "All access tokens are invalid now.\n"
    shell("head courses --lms zoho_people")
    assert len(lms.zoho.tokens) == 2


def test_replies_are_slowed_down(lms: Simulator, steer: Steer) -> None:
    assert steer("slow 0.5").out == "0.5 s before each reply.\n"
    assert lms.latency == 0.5


def test_the_clock_moves(lms: Simulator, steer: Steer) -> None:
    with fake_clock():
        before = json.loads(steer("status --json").out)["now"]
        assert steer("clock 3600").out == "The simulator's clock is 3600 s further ahead.\n"
        status = json.loads(steer("status --json").out)
        assert status["clock_moved_seconds"] == 3_600
        assert status["now"] > before
        lms.controls.end()


def test_the_status_is_shown(lms: Simulator, steer: Steer) -> None:
    with fake_clock():
        lms.zoho.lock(60)
        shown = steer("status").out.splitlines()
    assert shown[1:3] == ["ispring_learn: 0 requests", "zoho_people: 0 requests, locked for another 60 s"]
    assert shown[-1].split() == ["zoho_people", "100002000010000005", "GDPR", "<basics>", "3", "40", "0"]


def test_the_last_requests_are_shown(lms: Simulator, steer: Steer, shell: Shell) -> None:
    shell("head courses --lms ispring_learn")
    (shown,) = json.loads(steer("requests --last 1 --json").out)
    assert (shown["call"], shown["status"]) == ("GET /contents", 200)
    assert " GET /contents 200 " in steer("requests").out


def test_a_dataset_is_loaded_without_anything_about_a_person(
    lms: Simulator, steer: Steer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ISpringCourseResultsOperator(task_id="t", output_path=str(tmp_path)).execute({})
    people = {user.id for user in lms.ispring.users}
    enrollments = {row.enrollment_id for row in lms.ispring.results()}
    bodies: list[str] = []
    reply = ControlRequests.reply

    def listen(self: ControlRequests, request: Request) -> Reply:
        bodies.append(request.body)
        return reply(self, request)

    monkeypatch.setattr(ControlRequests, "reply", listen)
    assert steer(f"load {tmp_path}").out == "38 learners and 3 courses are simulated now.\n"
    (body,) = bodies
    assert lms.ispring.courses[0].id in body
    assert not [each for each in people | enrollments if each in body]


def test_a_wrong_parameter_is_a_usage_error(steer: Steer) -> None:
    result = steer("complete Diving")
    assert (result.code, result.err) == (
        2,
        "error: course: there is no course 'Diving'. The status of the simulator lists them.\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("complete 'Fire safety 1' --learner 17", "--learner: not active learners of the course: 17."),
        ("lock --lms moodle", "--lms: expected ispring_learn or zoho_people, got 'moodle'."),
    ],
)
def test_a_wrong_option_is_named(words: str, message: str, steer: Steer) -> None:
    result = steer(words)
    assert (result.code, result.err) == (2, f"error: {message}\n")


def test_that_nothing_runs_is_a_usage_error(shell: Shell) -> None:
    result = shell("simulator status --port 1")
    assert (result.code, result.err) == (
        2,
        "error: --port: no simulator of this version runs on port 1. Start one with `simulator`, or give --port "
        "if it runs on another port.\n",
    )
