"""Applying a plan: nothing twice, nothing that the plan does not show, and the truth about everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsInvalidValue
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.sync.apply import Applier
from airflow_provider_lms.sync.changes import AppliedChange, Outcome
from airflow_provider_lms.sync.journal import Journal
from airflow_provider_lms.sync.plan import Plan, PlanRefused
from airflow_provider_lms.testing import fake_clock
from tests.sync.school import DONE, HALF, LATER, LOST_REQUEST, LOST_RESPONSE, Killed, School, plan_for


def journal(path: Path, plan: Plan) -> Journal:
    return Journal(folder("plan", str(path)), plan.sha256)


def apply(school: School, plan: Plan, path: Path) -> dict[str, AppliedChange]:
    """Apply a plan; what came of it by person."""
    with fake_clock():
        rows = Applier(school, journal(path, plan)).apply(plan)
    return {str(each.person_id): each for each in rows}


def outcomes(rows: dict[str, AppliedChange]) -> dict[str, str]:
    return {person: row.outcome for person, row in rows.items()}


def test_people_are_enrolled_and_read_back_in_few_requests(tmp_path: Path) -> None:
    school = School(["x"])
    rows = apply(school, plan_for(school, "abcde"), tmp_path)
    assert school.enrolled == {*"abcde"}
    assert outcomes(rows) == dict.fromkeys("abcdex", Outcome.DONE)
    assert [len(people) for people in school.sent] == [3, 2, 1]


def test_the_same_plan_again_sends_nothing(tmp_path: Path) -> None:
    school = School()
    plan = plan_for(school, "abc")
    first = apply(school, plan, tmp_path)
    school.enrolled.clear()  # even if somebody has undone it: the approval was for one time
    assert outcomes(apply(school, plan, tmp_path)) == outcomes(first)
    assert len(school.sent) == 1


def test_who_is_already_as_wanted_is_reported_as_such(tmp_path: Path) -> None:
    school = School()
    plan = plan_for(school, "ab")
    school.enrolled.add("a")
    school._shown.add("a")
    assert outcomes(apply(school, plan, tmp_path)) == {"a": Outcome.ALREADY, "b": Outcome.DONE}
    assert school.sent == [["b"]]


def test_who_has_changed_since_is_left_alone(tmp_path: Path) -> None:
    class Moved(School):
        def states(self, changes):  # type: ignore[no-untyped-def]
            return {name: {**state, "enrolled": "elsewhere"} for name, state in super().states(changes).items()}

    school = Moved()
    rows = apply(school, plan_for(school, "a"), tmp_path)
    assert (rows["a"].outcome, rows["a"].detail) == (
        Outcome.CHANGED,
        "enrolled: not as in the plan.",
    )
    assert school.sent == []


def test_a_lost_response_is_followed_by_reading_and_not_by_sending(tmp_path: Path) -> None:
    school = School()
    school.next_replies = [LOST_RESPONSE]
    assert outcomes(apply(school, plan_for(school, "ab"), tmp_path)) == {"a": Outcome.DONE, "b": Outcome.DONE}
    assert len(school.sent) == 1


def test_a_lost_request_is_sent_again_and_only_for_who_is_missing(tmp_path: Path) -> None:
    school = School()
    school.next_replies = [HALF, LOST_REQUEST]
    assert set(outcomes(apply(school, plan_for(school, "ab"), tmp_path)).values()) == {Outcome.DONE}
    first, second, third = school.sent
    assert len(first) == 2
    assert second == third == first[1:]


def test_what_cannot_be_confirmed_is_said_and_looked_at_again_by_a_retry(tmp_path: Path) -> None:
    school = School()
    school.next_replies = [LOST_REQUEST] * 3
    plan = plan_for(school, "a")
    row = apply(school, plan, tmp_path)["a"]
    assert (row.outcome, row.detail) == (Outcome.UNCONFIRMED, "POST /enrollment: HTTP 503.")
    assert len(school.sent) == 3
    assert outcomes(apply(school, plan, tmp_path)) == {"a": Outcome.UNCONFIRMED}
    assert len(school.sent) == 3, "three times at most, by all attempts together"
    school._shown.add("a")  # it was late
    assert outcomes(apply(school, plan, tmp_path)) == {"a": Outcome.DONE}


def test_what_the_lms_says_it_has_done_is_not_sent_again_although_it_does_not_show(tmp_path: Path) -> None:
    school = School(delay=1e9)
    plan = plan_for(school, "a")
    for _ in range(3):  # and no retry sends it again
        row = apply(school, plan, tmp_path)["a"]
        assert row.outcome == Outcome.UNCONFIRMED
        assert "said that it was done" in str(row.detail)
    assert len(school.sent) == 1


def test_a_success_that_may_mean_later_is_not_sent_again(tmp_path: Path) -> None:
    school = School(delay=30.0)
    school.next_replies = [LATER]
    plan = plan_for(school, "a")
    with fake_clock():
        assert Applier(school, journal(tmp_path, plan)).apply(plan)[0].outcome == Outcome.UNCONFIRMED
        clock.sleep(60)
        assert Applier(school, journal(tmp_path, plan)).apply(plan)[0].outcome == Outcome.DONE
    assert school.effects == {"a": 1}


def test_a_retry_at_once_waits_for_what_a_killed_attempt_has_sent(tmp_path: Path) -> None:
    school = School(delay=5.0)
    plan = plan_for(school, "a")
    steps = iter(range(100))

    def kill_after_sending() -> None:
        if next(steps) == 2:
            raise Killed

    school.step = kill_after_sending
    with fake_clock():
        with pytest.raises(Killed):
            Applier(school, journal(tmp_path, plan)).apply(plan)
        school.step = lambda: None
        assert Applier(school, journal(tmp_path, plan)).apply(plan)[0].outcome == Outcome.DONE
    assert school.effects == {"a": 1}


def test_what_was_sent_and_led_elsewhere_is_not_called_unsent(tmp_path: Path) -> None:
    class Strange(School):
        def states(self, changes):  # type: ignore[no-untyped-def]
            found = super().states(changes)
            return {name: {"enrolled": "half"} for name in found} if self.sent else found

    school = Strange()
    plan = plan_for(school, "a")
    for _ in range(2):
        assert outcomes(apply(school, plan, tmp_path)) == {"a": Outcome.UNCONFIRMED}
    assert len(school.sent) == 1


def test_a_refusal_by_a_gateway_ends_the_attempt_and_not_the_plan(tmp_path: Path) -> None:
    school = School(unknown=["a"])
    school.in_its_own_words = False
    plan = plan_for(school, "ab")
    with pytest.raises(LmsInvalidValue):
        apply(school, plan, tmp_path)
    rows = Applier(school, journal(tmp_path, plan)).report(plan)
    assert {each.outcome for each in rows} == {Outcome.OPEN}
    school.unknown.clear()
    assert set(outcomes(apply(school, plan, tmp_path)).values()) == {Outcome.DONE}


def test_one_unknown_person_keeps_nobody_else_from_it(tmp_path: Path) -> None:
    school = School(unknown=["b"])
    rows = apply(school, plan_for(school, "abc"), tmp_path)
    assert outcomes(rows) == {"a": Outcome.DONE, "b": Outcome.REFUSED, "c": Outcome.DONE}
    assert "HTTP 400" in str(rows["b"].detail)
    assert max(school.effects.values()) == 1


def test_a_refusal_of_many_is_looked_into_without_waiting(tmp_path: Path) -> None:
    school = School(unknown=["b"])
    with fake_clock() as time:
        plan = plan_for(school, "abc")
        Applier(school, journal(tmp_path, plan)).apply(plan)
        assert time.naps == []


def test_a_retry_goes_on_from_the_journal(tmp_path: Path) -> None:
    school = School(size=1)
    plan = plan_for(school, "abc")
    steps = iter(range(100))

    def kill_in_the_second_request() -> None:
        if next(steps) == 6:  # read, send, sent, read; read, send, sent
            raise Killed

    school.step = kill_in_the_second_request
    with pytest.raises(Killed):
        apply(school, plan, tmp_path)
    assert len(school.sent) == 2
    school.step = lambda: None
    # The second one was sent by us, although nobody was left to read it back.
    assert outcomes(apply(school, plan, tmp_path)) == dict.fromkeys("abc", Outcome.DONE)
    assert school.effects == dict.fromkeys("abc", 1)


def test_a_damaged_journal_stops_everything(tmp_path: Path) -> None:
    school = School()
    plan = plan_for(school, "a")
    apply(school, plan, tmp_path)
    (entry, *_) = sorted(tmp_path.glob("journal-*.json"))
    entry.write_text("{")
    with pytest.raises(PlanRefused, match=r"is damaged.*Make a new plan"):
        apply(school, plan, tmp_path)


def test_two_tasks_that_apply_the_same_plan_notice_one_another(tmp_path: Path) -> None:
    other: list[AppliedChange] = []

    class Shared(School):
        """Another task applies the rest of the plan just after the first task has read the second person's state."""

        reads = 0

        def states(self, changes):  # type: ignore[no-untyped-def]
            found = super().states(changes)
            self.reads += 1
            if self.reads == 3:
                other[:] = Applier(self, journal(tmp_path, plan)).apply(plan)
            return found

    school = Shared(size=1)
    plan = plan_for(school, "abc")
    with pytest.raises(PlanRefused, match=r"another task is applying this plan"):
        apply(school, plan, tmp_path)
    assert {each.outcome for each in other} == {Outcome.DONE}
    assert school.effects == dict.fromkeys("abc", 1)


def test_the_journal_of_another_plan_in_the_folder_is_not_read(tmp_path: Path) -> None:
    school = School()
    plan = plan_for(school, "a")
    apply(school, plan, tmp_path)
    assert journal(tmp_path, plan_for(School(), "a", at=None)).results  # the same plan
    assert not journal(tmp_path, plan_for(School(), "b")).results


def test_the_journal_holds_no_name(tmp_path: Path) -> None:
    school = School()
    school.next_replies = [LOST_REQUEST] * 3
    apply(school, plan_for(school, ["amara@example.com"]), tmp_path)
    assert all("amara" not in path.read_text() for path in tmp_path.glob("journal-*"))


PEOPLE = st.sets(st.sampled_from("abcdefghij"))


@pytest.mark.hypothesis
@given(
    enrolled=PEOPLE,
    wanted=PEOPLE,
    unknown=st.sets(st.sampled_from("abcdefghij"), max_size=2),
    size=st.integers(1, 5),
    delay=st.sampled_from([0.0, 2.0, 8.0]),
    replies=st.lists(st.sampled_from([DONE, LOST_RESPONSE, LOST_REQUEST, HALF]), max_size=8),
    kills=st.lists(st.integers(0, 25), max_size=5),
)
def test_whatever_goes_wrong_everybody_is_as_wanted_or_the_report_says_why(
    tmp_path_factory: pytest.TempPathFactory,
    enrolled: set[str],
    wanted: set[str],
    unknown: set[str],
    size: int,
    delay: float,
    replies: list[str],
    kills: list[int],
) -> None:
    path = tmp_path_factory.mktemp("plan")
    school = School(enrolled, unknown=unknown, delay=delay, size=size)
    plan = plan_for(school, wanted)
    school.next_replies = [*replies]
    planned = {str(each.person_id) for each in plan.changes}
    with fake_clock():
        for kill in kills:
            left = [kill]

            def step(left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed

            school.step = step
            try:
                Applier(school, journal(path, plan)).apply(plan)
            except Killed:
                continue
        school.step = lambda: None
        rows = {str(each.person_id): each for each in Applier(school, journal(path, plan)).apply(plan)}
    assert {*rows} == planned
    for person, row in rows.items():
        as_wanted = (person in school.enrolled) == (person in wanted)
        if row.outcome in (Outcome.DONE, Outcome.ALREADY):
            assert as_wanted
        elif row.outcome == Outcome.REFUSED:
            assert person in unknown
            assert not as_wanted
        else:
            assert row.outcome == Outcome.UNCONFIRMED
            assert replies or kills
    # Nothing was done twice, and nothing that the plan does not show.
    assert {*school.effects} <= planned
    assert all(count == 1 for count in school.effects.values())
    assert school.enrolled - planned == enrolled - planned
