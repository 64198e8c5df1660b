"""What reads show after a change in the simulated iSpring Learn, and what is left of one whose reply was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound, LmsUnconfirmed
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.listings.organization import Department
from airflow_provider_lms.lms.ispring.listings.people import Enrollment, User
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.testing import FakeClock, fake_clock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCESS = datetime(2026, 3, 2, 8, tzinfo=UTC)
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock(NOW) as found:
        yield found


@pytest.fixture
def lms(clock: FakeClock) -> Iterator[Simulator]:
    with Simulator(World(as_of=NOW.date())) as simulator:
        yield simulator


@pytest.fixture
def people(lms: Simulator) -> list[str]:
    """Three active users who are in no course."""
    found = [user for user in lms.ispring.users if user.status == 1][:3]
    for user in found:
        for course in lms.ispring.courses:
            lms.ispring.unenroll(user, course)
    return [user.id for user in found]


@pytest.fixture
def course(lms: Simulator) -> str:
    return lms.ispring.courses[0].id


def enrollments(client: ISpringLearnClient, learner_ids: Any) -> list[Enrollment]:
    return [each for page in client.enrollments(learner_ids=learner_ids) for each in page.records]


def user_of(client: ISpringLearnClient, user_id: str) -> User:
    (found,) = [each for page in client.users(user_ids=user_id) for each in page.records]
    return found


def departments(client: ISpringLearnClient) -> dict[str, Department]:
    return {each.department_id: each for page in client.departments() for each in page.records}


def members(client: ISpringLearnClient, group_id: str) -> set[str]:
    return {each.user_id for page in client.read("group_members", group_id=group_id) for each in page.records}


def test_enrolling_makes_one_enrollment_for_each_learner_and_course(
    client: ISpringLearnClient, lms: Simulator, people: list[str]
) -> None:
    courses = [each.id for each in lms.ispring.courses[:2]]
    client.enroll(courses, people, due=date(2026, 5, 31), access_date=ACCESS, lock_after_due_date=True)
    found = enrollments(client, people)
    assert {(each.course_id, each.learner_id) for each in found} == {(c, p) for c in courses for p in people}
    assert {(str(each.access_date)[:10], str(each.due_date)[:10]) for each in found} == {("2026-03-02", "2026-05-31")}
    assert {each.should_lock_after_due_date for each in found} == {True}


def test_edited_dates_are_read(client: ISpringLearnClient, people: list[str], course: str) -> None:
    client.enroll(course, people[0], due="unlimited")
    (before,) = enrollments(client, people[0])
    assert before.due_date is None
    client.edit_enrollment(before.enrollment_id, access_date=ACCESS, due=timedelta(days=10))
    (after,) = enrollments(client, people[0])
    assert (after.enrollment_id, str(after.due_date)[:10]) == (before.enrollment_id, "2026-03-12")


def test_a_reenrollment_begins_anew(client: ISpringLearnClient, lms: Simulator, people: list[str], course: str) -> None:
    lms.ispring.reenroll = "second"
    client.enroll(course, people[0], due="default")
    (before,) = enrollments(client, people[0])
    client.reenroll(before.enrollment_id, access_date=ACCESS, due="default")
    assert len(enrollments(client, people[0])) == 2


def test_deleted_enrollments_are_gone(client: ISpringLearnClient, people: list[str], course: str) -> None:
    client.enroll(course, people, due="default")
    found = enrollments(client, people)
    client.delete_enrollments([each.enrollment_id for each in found[:2]])
    assert [each.enrollment_id for each in enrollments(client, people)] == [found[2].enrollment_id]


def test_an_unknown_learner_is_refused(client: ISpringLearnClient, people: list[str], course: str) -> None:
    with pytest.raises(LmsBadRequest) as raised:
        client.enroll(course, [people[0], UNKNOWN], due="default")
    assert raised.value.is_refusal
    assert enrollments(client, people) == []


def test_an_unknown_user_is_not_found(client: ISpringLearnClient) -> None:
    with pytest.raises(LmsNotFound, match=r"POST /user/\{user_id\}: HTTP 404"):
        client.update_user(UNKNOWN, fields={"FIRST_NAME": "Ada"})


def test_a_new_user_is_read_by_the_id_and_was_not_invited(
    client: ISpringLearnClient, lms: Simulator, people: list[str]
) -> None:
    lms.ispring.invites_unless_told = True
    department = user_of(client, people[0]).department_id
    user_id = client.create_user(
        department_id=str(department), login="ada", email="ada@example.com", fields={"FIRST_NAME": "Ada"}
    )
    user = user_of(client, user_id)
    assert (user.department_id, user.status) == (department, 1)
    assert (user.fields["LOGIN"], user.fields["EMAIL"], user.fields["FIRST_NAME"]) == ("ada", "ada@example.com", "Ada")
    assert lms.ispring.invitations == []


def test_who_asks_for_an_invitation_gets_it(client: ISpringLearnClient, lms: Simulator, people: list[str]) -> None:
    user_id = client.create_user(
        department_id=str(user_of(client, people[0]).department_id),
        login="ada",
        email="ada@example.com",
        send_login_email=True,
        invitation_message="Welcome",
        send_login_sms=True,
        invitation_sms_message="Hello",
    )
    assert [(each.user_id, each.message) for each in lms.ispring.invitations] == [
        (user_id, "Welcome"),
        (user_id, "Hello"),
    ]


def test_an_update_changes_only_what_it_names(client: ISpringLearnClient, people: list[str]) -> None:
    before = user_of(client, people[0])
    client.update_user(people[0], fields={"LAST_NAME": "Lovelace"})
    after = user_of(client, people[0])
    assert after.fields == {**before.fields, "LAST_NAME": "Lovelace"}
    assert (after.department_id, after.role, after.groups) == (before.department_id, before.role, before.groups)


def test_users_are_activated_deactivated_and_terminated(client: ISpringLearnClient, people: list[str]) -> None:
    def statuses() -> list[int | None]:
        return [user_of(client, each).status for each in people]

    client.deactivate_users(people[:2])
    assert statuses() == [3, 3, 1]
    client.activate_users(people[0])
    client.terminate_users(people[2])
    assert statuses() == [1, 3, 5]


@pytest.mark.parametrize(
    ("schedule", "cancel", "status"),
    [
        ("schedule_deactivation", "cancel_scheduled_deactivation", 3),
        ("schedule_termination", "cancel_scheduled_termination", 5),
    ],
)
def test_a_scheduled_day_comes_unless_it_is_cancelled(
    client: ISpringLearnClient, clock: FakeClock, people: list[str], schedule: str, cancel: str, status: int
) -> None:
    for each in people[:2]:
        getattr(client, schedule)(each, date(2026, 3, 3))
    getattr(client, cancel)(people[1])
    assert [user_of(client, each).status for each in people[:2]] == [1, 1]
    clock.advance(3 * 86_400)
    assert [user_of(client, each).status for each in people[:2]] == [status, 1]


def test_supervisors_are_read(client: ISpringLearnClient, people: list[str]) -> None:
    client.set_supervisor(people[0], people[1])
    client.change_subordination(people[0], co_supervisor=people[2])
    user = user_of(client, people[0])
    assert user.subordination == {"subordinationType": "manual", "supervisorId": people[1]}
    assert user.co_subordination == {"subordinationType": "manual", "supervisorId": people[2]}
    client.change_subordination(people[0], supervisor="inherit", co_supervisor="no_supervisor")
    user = user_of(client, people[0])
    assert (user.subordination["subordinationType"], user.co_subordination["subordinationType"]) == (
        "inherit",
        "no_supervisor",
    )


def test_departments_are_created_changed_and_moved(client: ISpringLearnClient, people: list[str]) -> None:
    (top,) = [each.department_id for each in departments(client).values() if each.parent_department_id is None]
    sales = client.create_department("Sales", top, "S")
    north = client.create_department("North", top)
    client.update_department(north, name="Sales North", code="SN")
    client.move_departments(sales, [north])
    client.change_department_subordination(sales, supervisor=people[0])
    client.move_users(north, people[1:])

    found = departments(client)
    assert (found[sales].name, found[sales].code, found[sales].parent_department_id) == ("Sales", "S", top)
    assert (found[north].name, found[north].code, found[north].parent_department_id) == ("Sales North", "SN", sales)
    assert found[sales].subordination == {"subordinationType": "manual", "supervisorId": people[0]}
    assert [user_of(client, each).department_id for each in people[1:]] == [north, north]


def test_groups_are_created_renamed_and_left(client: ISpringLearnClient, people: list[str]) -> None:
    group = client.create_group("New hires", people)
    client.rename_group(group, "Hired in 2026")
    client.remove_user_from_groups(people[0], group)
    assert members(client, group) == set(people[1:])
    names = {each.group_id: each.name for page in client.groups() for each in page.records}
    assert names[group] == "Hired in 2026"


@pytest.mark.parametrize(("behavior", "expected"), [("replaced", {1}), ("added", {0, 1})])
def test_what_setting_the_members_of_a_group_does_depends_on_the_account(
    client: ISpringLearnClient, lms: Simulator, people: list[str], behavior: Any, expected: set[int]
) -> None:
    lms.ispring.group_members = behavior
    group = client.create_group("New hires", people[0])
    client.set_group_members(group, people[1], allow_undocumented=True)
    assert members(client, group) == {people[each] for each in expected}


@pytest.mark.parametrize(
    ("fault", "before", "done"),
    [
        (faults.lost_reply(), False, True),
        (faults.status(503), False, True),
        (faults.status(503), True, False),
        (faults.html_page(), False, True),
    ],
)
def test_whether_a_call_without_an_answer_was_carried_out_is_seen_by_reading(
    lms: Simulator,
    connect: Callable[..., ISpringLearnClient],
    people: list[str],
    course: str,
    fault: Fault,
    before: bool,
    done: bool,
) -> None:
    lms.ispring.enroll_again = "second"
    client = connect(lms, max_wait=900.0)
    lms.ispring.fail("POST /enrollment", fault, before=before)
    with pytest.raises(LmsUnconfirmed):
        client.enroll(course, people[0], due="default")
    assert len(enrollments(client, people[0])) == int(done)
    assert lms.ispring.count("POST /enrollment") == 1
