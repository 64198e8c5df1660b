"""A tiny LMS for tests of applying: it enrolls people, and goes wrong in every way that a real one may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_lms import clock
from airflow_provider_lms.lms.errors import LmsInvalidValue, LmsUnconfirmed
from airflow_provider_lms.sync.changes import Action, Change, change
from airflow_provider_lms.sync.plan import Plan, in_order

DONE, LOST_RESPONSE, LOST_REQUEST, HALF, LATER = "done", "lost response", "lost request", "half", "later"


class Killed(BaseException):
    """Airflow has killed the task."""


class School:
    """Who is enrolled. It is a target as well.

    :param enrolled: who is.
    :param unknown: whom the LMS does not know: a request with one of them is refused as a whole.
    :param delay: seconds after which a change can be read.
    :param size: how many people one request is for.

    ``in_its_own_words`` is False if a gateway refuses in the LMS's place. ``next_replies`` says what happens to coming
    requests; then all of them succeed. ``effects`` counts how often each person was enrolled or unenrolled, and
    ``sent`` lists the requests.
    """

    def __init__(
        self, enrolled: Iterable[str] = (), *, unknown: Iterable[str] = (), delay: float = 0.0, size: int = 3
    ) -> None:
        self.enrolled = {*enrolled}
        self.unknown = {*unknown}
        self.delay = delay
        self.size = size
        self.next_replies: list[str] = []
        self.in_its_own_words = True
        self.effects: Counter[str] = Counter()
        self.sent: list[list[str]] = []
        self.step: Callable[[], None] = lambda: None
        self._shown = {*enrolled}
        self._coming: list[tuple[float, str, bool]] = []

    def chunks(self, changes: Sequence[Change]) -> Iterable[Sequence[Change]]:
        for action in (Action.ENROLL, Action.UNENROLL):
            group = [each for each in changes if each.action == action]
            yield from (group[begin : begin + self.size] for begin in range(0, len(group), self.size))

    def states(self, changes: Sequence[Change]) -> Mapping[str, Mapping[str, Any]]:
        self.step()
        for at, person, enrolls in self._coming:
            if at <= clock.monotonic():
                (self._shown.add if enrolls else self._shown.discard)(person)
        self._coming = [each for each in self._coming if each[0] > clock.monotonic()]
        return {each.change_id: {"enrolled": each.person_id in self._shown} for each in changes}

    def is_fulfilled(self, change: Change, state: Mapping[str, Any]) -> bool:
        return bool(state["enrolled"] == change.new_values["enrolled"])

    def send(self, changes: Sequence[Change]) -> None:
        self.step()
        people = [str(each.person_id) for each in changes]
        self.sent.append(people)
        reply = self.next_replies.pop(0) if self.next_replies else DONE
        if reply == LOST_REQUEST:
            raise LmsUnconfirmed("POST /enrollment: HTTP 503.")
        if self.unknown & {*people}:
            raise LmsInvalidValue("POST /enrollment: HTTP 400.", 400, is_refusal=self.in_its_own_words)
        for person in people[: len(people) // 2] if reply == HALF else people:
            enrolls = changes[0].action == Action.ENROLL
            (self.enrolled.add if enrolls else self.enrolled.discard)(person)
            self._coming.append((clock.monotonic() + self.delay, person, enrolls))
            self.effects[person] += 1
        self.step()
        if reply == LATER:
            raise LmsUnconfirmed("POST /enrollment: HTTP 202.", 202)
        if reply != DONE:
            raise LmsUnconfirmed("POST /enrollment: no complete response within 60 s.")


def plan_for(school: School, wanted: Iterable[str], *, at: datetime | None = None) -> Plan:
    """The plan that enrolls some people and unenrolls all others."""
    desired = {*wanted}
    changes = [
        change(
            Action.ENROLL if person in desired else Action.UNENROLL,
            person_id=person,
            course_id="c",
            old={"enrolled": person not in desired},
            new={"enrolled": person in desired},
        )
        for person in desired ^ school.enrolled
    ]
    return Plan("enrollments", "school://test", at or datetime(2026, 1, 1, tzinfo=UTC), {}, in_order(changes))
