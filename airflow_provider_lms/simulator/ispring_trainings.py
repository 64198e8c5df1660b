"""What the simulated iSpring Learn answers about trainings and job training, from the world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_lms.simulator.exchange import Request
from airflow_provider_lms.simulator.ispring_requests import Refused
from airflow_provider_lms.simulator.ispring_rows import as_date
from airflow_provider_lms.simulator.ispring_tables import Row, chosen
from airflow_provider_lms.simulator.world import Session, Training

if TYPE_CHECKING:
    from airflow_provider_lms.simulator.ispring import ISpring


def _session(account: ISpring, is_it: Callable[[Session], bool]) -> tuple[Training, Session] | None:
    sessions = ((training, session) for training in account.world.trainings for session in training.sessions)
    return next((each for each in sessions if is_it(each[1])), None)


def training(account: ISpring, request: Request, training_id: str) -> list[Row]:  # noqa: ARG001
    for each in account.world.trainings:
        if each.id == training_id:
            sessions = [session.id for session in each.sessions]
            return [{"title": each.title, "organizer": each.course.author_id, "sessions": sessions, "type": "Room"}]
    raise Refused(404, "Unknown training")


def training_sessions(account: ISpring, request: Request, training_id: str) -> list[Row]:  # noqa: ARG001
    for each in account.world.trainings:
        if each.id == training_id:
            return [
                {
                    "id": session.id,
                    "title": session.title,
                    "startTime": as_date(session.start),
                    "duration": 28_800,
                    "instructor": session.instructor_id,
                    "dayIds": list(session.day_ids),
                }
                for session in each.sessions
            ]
    raise Refused(404, "Session not found")


def training_day(account: ISpring, request: Request, day_id: str) -> list[Row]:  # noqa: ARG001
    found = _session(account, lambda session: day_id in session.day_ids)
    if found is None:
        raise Refused(404, "Day not found", as_text=True)
    number = found[1].day_ids.index(day_id)
    return [
        {
            "dayId": day_id,
            "sessionId": found[1].id,
            "trainingId": found[0].id,
            "startTime": as_date(found[1].start + timedelta(days=number)),
            "duration": 14_400,
            "location": f"Room {number + 1}",
        }
    ]


def participants(account: ISpring, request: Request, session_id: str) -> list[str]:  # noqa: ARG001
    found = _session(account, lambda session: session.id == session_id)
    if found is None:
        raise Refused(404, "Session not found")
    return [user.id for user in found[1].participants]


_STATUSES = ("PASSED", "IN_PROGRESS", "NOT_STARTED")


def _job_sessions(account: ISpring) -> list[Row]:
    """Two checklists with three sessions each, one in each status."""
    world = account.world
    observed = account.users[: len(_STATUSES)]
    return [
        {
            "checklistId": world.id_of("checklist", title),
            "checklistTitle": title,
            "sessionId": world.id_of("job session", title + employee.id),
            "sessionStatus": status,
            "startDate": as_date(world.midnight - timedelta(days=10)),
            **(_points(world.midnight - timedelta(days=9), 8.5) if status == "PASSED" else {}),
            "employeeId": employee.id,
            "observerId": world.id_of("user", "0"),
        }
        for title in ("Till & cash", "Forklift check")
        for employee, status in zip(observed, _STATUSES, strict=False)
    ]


def _points(moment: datetime, reached: float) -> Row:
    dates = {"actualStartDate": as_date(moment), "completionDate": as_date(moment + timedelta(hours=1))}
    return {**dates, "result": reached * 10, "totalPoints": 10.0, "points": reached}


def checklists(account: ISpring, request: Request) -> list[Row]:
    found: dict[str, Row] = {}
    for session in chosen(request, _job_sessions(account), checklistIds="checklistId", sessionIds="sessionId"):
        row = {name: session[name] for name in ("checklistId", "checklistTitle")}
        row |= {"checklistStatus": "PUBLISHED", "sessionIds": []}
        found.setdefault(session["checklistId"], row)["sessionIds"].append(session["sessionId"])
    return list(found.values())


def job_results(account: ISpring, request: Request) -> list[Row]:
    status = request.first("sessionStatus")
    if status not in (None, *_STATUSES):
        raise Refused(400, "Bad value in sessionStatus")
    rows = chosen(request, _job_sessions(account), checklistId="checklistId", sessionIds="sessionId")
    return [row for row in rows if status in (None, row["sessionStatus"])]


def _of_completed(account: ISpring) -> list[Row]:
    """For each completed session two groups of two criteria, the last of which was skipped."""
    names = ("checklistId", "sessionId", "employeeId", "observerId")
    return [
        {
            **{name: session[name] for name in names},
            "groupId": account.world.id_of("criterion group", f"{session['checklistId']}/{group}"),
            "groupTitle": f"Part {group + 1}",
            "criterionId": account.world.id_of("criterion", f"{session['checklistId']}/{group}/{criterion}"),
            "criterionTitle": f"Step {criterion + 1}",
            "skipped": criterion == 1,
        }
        for session in _job_sessions(account)
        if session["sessionStatus"] == "PASSED"
        for group in range(2)
        for criterion in range(2)
    ]


def criterion_groups(account: ISpring, request: Request) -> list[Row]:
    rows = [
        {name: value for name, value in row.items() if not name.startswith(("criterion", "skipped"))}
        | {"result": 80.0, "totalPoints": 5.0, "points": 4.0}
        for row in _of_completed(account)
        if not row["skipped"]
    ]
    return chosen(request, rows, checklistId="checklistId", sessionIds="sessionId", groupIds="groupId")


def criteria(account: ISpring, request: Request) -> list[Row]:
    rows = [
        {name: value for name, value in row.items() if name != "groupTitle"}
        | ({} if row["skipped"] else {"totalPoints": 5.0, "points": 4.0})
        for row in _of_completed(account)
    ]
    fields = {"sessionIds": "sessionId", "groupIds": "groupId", "criterionIds": "criterionId"}
    return chosen(request, rows, checklistId="checklistId", **fields)
