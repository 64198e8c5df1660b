"""What the endpoints of the simulated iSpring Learn answer with, from the world."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_lms.simulator.exchange import Request
from airflow_provider_lms.simulator.files import certificate_path
from airflow_provider_lms.simulator.ispring_requests import Refused, ids, moments
from airflow_provider_lms.simulator.ispring_rows import as_date, certificate_of, department_row
from airflow_provider_lms.simulator.world import DONE

if TYPE_CHECKING:
    from airflow_provider_lms.simulator.ispring import ISpring

Row: TypeAlias = dict[str, Any]


def chosen(request: Request, rows: list[Row], **names: str) -> list[Row]:
    """The rows that the filters by id leave.

    :param names: the field that each filter looks at, by the filter's name.
    """
    for name, field in names.items():
        if wanted := ids(request, name):
            rows = [row for row in rows if row[field] in wanted]
    return rows


def departments(account: ISpring, request: Request) -> list[Row]:  # noqa: ARG001
    return [department_row(each) for each in account.state.departments.values()]


def groups(account: ISpring, request: Request) -> list[Row]:  # noqa: ARG001
    return [{"groupId": each.id, "name": each.name, "isSmart": each.is_smart} for each in account.state.groups.values()]


def group(account: ISpring, request: Request, group_id: str) -> list[Row]:  # noqa: ARG001
    if (each := account.state.groups.get(group_id)) is not None:
        members = list(each.members)
        row = {"groupId": each.id, "name": each.name, "isSmart": each.is_smart, "userIds": members}
        return [{"usersCount": len(members), **row}]
    raise Refused(404, "Unknown group")


def roles(account: ISpring, request: Request) -> list[Row]:  # noqa: ARG001
    titles = {"learner": ("Learner", "Takes courses"), "owner": ("Owner", "May all"), "custom": ("Coach", "<All>")}
    return [
        {"roleId": role_id, "type": type_, "title": titles[type_][0], "description": titles[type_][1]}
        for role_id, type_ in account.role_types().items()
    ]


def profile_fields(account: ISpring, request: Request) -> list[Row]:  # noqa: ARG001
    return [
        {
            "userFieldInfoId": account.world.id_of("field", name),
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "type": "text",
            "isUnique": int(name in ("LOGIN", "EMAIL")),
            "isRequired": int(name in ("LOGIN", "EMAIL")),
            "orderPriority": number,
            "values": [{"name": "1", "value": "Day"}, {"name": "2", "value": "Night"}] if name == "SHIFT" else [],
        }
        for number, name in enumerate(("LOGIN", "EMAIL", "FIRST_NAME", "LAST_NAME", "SHIFT"), start=1)
    ]


def course_modules(account: ISpring, request: Request, course_id: str) -> list[Row]:  # noqa: ARG001
    for training in account.world.trainings:
        if (course := training.course).id == course_id:
            break
    else:
        raise Refused(404, "Unknown course")
    materials = [
        {
            "moduleId": module.id,
            "itemId": module.item_id,
            "courseId": course.id,
            "title": module.title,
            "description": "Read <this> first",
            "authorId": course.author_id,
            "addedDate": as_date(course.added),
            "type": "material",
            "viewUrl": f"https://example.ispringlearn.com/view/{module.item_id}",
            "sequentialNumber": number,
        }
        for number, module in enumerate(course.modules, start=1)
    ]
    meeting = {
        "moduleId": account.world.id_of("training module", course.id),
        "itemId": training.id,
        "courseId": course.id,
        "title": training.title,
        "description": "Bring your questions",
        "addedDate": as_date(course.added),
        "type": "training",
        "trainingType": {"trainingTypeId": account.world.id_of("training type", "room"), "trainingTypeTitle": "Room"},
        "sequentialNumber": len(materials) + 1,
    }
    return [*materials, meeting]


def course_fields(account: ISpring, request: Request) -> list[Row]:  # noqa: ARG001
    return [
        {
            "fieldId": account.world.id_of("course field", label),
            "fieldCustomId": label.lower(),
            "fieldLabel": label,
            "fieldType": "TEXT",
        }
        for label in ("Topic", "Audience")
    ]


def courses_tree(account: ISpring, request: Request) -> list[Row]:
    (track, *_) = [item for item in account.world.library if item.kind == "LearningTrack"]
    rows = [
        {
            "contentItemId": item.id,
            "title": item.title,
            "type": item.kind,
            "description": "In the tree",
            "addedDate": as_date(item.added),
            "viewUrl": f"https://example.ispringlearn.com/view/{item.id}",
            **({"parentId": track.id} if item.kind == "Course" else {}),
            "isShared": item.kind == "Course",
        }
        for item in account.world.library
    ]
    return chosen(request, rows, contentItemIds="contentItemId")


def learning_track_courses(account: ISpring, request: Request) -> list[Row]:
    if (wanted := request.first("learningTrackIds")) is None:
        raise Refused(400, "learningTrackIds is required")
    tracks = [item for item in account.world.library if item.kind == "LearningTrack"]
    return [
        {"learningTrackId": track.id, "courseId": course.id}
        for number, track in enumerate(tracks)
        if track.id in wanted.split(",")
        for course in account.courses[number:]
    ]


_LABELS = {
    "not_started": "Not started",
    "in_progress": "In progress",
    "pending": "Pending review",
}


def final_statuses(account: ISpring, request: Request, content_id: str) -> list[Row]:  # noqa: ARG001
    if all(item.id != content_id for item in account.world.library):
        raise Refused(404, "Unknown content item", as_text=True)
    rows = [
        {
            "userId": result.user.id,
            "status": _LABELS.get(result.status, result.status.capitalize()),
            "progress": result.progress or 0,
            "completionDate": as_date(result.completion) if result.status in DONE else None,
            "lastViewDate": as_date(result.completion or result.access) if result.views else None,
        }
        for result in account.results()
        if result.course.id == content_id
    ]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def points(account: ISpring, request: Request) -> list[Row]:
    rows = [{"userId": user.id, "points": 10 * number} for number, user in enumerate(account.users)]
    return chosen(request, rows, userIds="userId")


def active_users(account: ISpring, request: Request) -> list[str]:
    start, end = moments(request, "activityDate")
    return [
        user.id
        for user in account.users
        if user.last_login is not None
        if (start is None or start <= user.last_login) and (end is None or user.last_login <= end)
    ]


def certificate(account: ISpring, request: Request, certificate_id: str) -> list[Row]:
    issued = (certificate_of(result) or {} for result in account.results())
    if any(each.get("issuedCertificateId") == certificate_id for each in issued):
        host = account.files_url or f"http://{request.headers['host']}"
        return [{"url": host + certificate_path(certificate_id)}]
    raise Refused(404, "Issued certificate not found", as_text=True)


def _quizzes(account: ISpring) -> list[Row]:
    items = [item for item in account.world.library if item.kind == "Quiz"]
    return [
        {
            "quizId": account.world.id_of("quiz", item.id),
            "quizTitle": item.title,
            "contentItemId": item.id,
            "parentCourseIds": [course.id],
        }
        for item, course in zip(items, account.courses, strict=True)
    ]


def quizzes(account: ISpring, request: Request) -> list[Row]:
    rows = chosen(request, _quizzes(account), quizIds="quizId", contentItemIds="contentItemId")
    courses = ids(request, "parentCourseIds")
    return [row for row in rows if not courses or courses & set(row["parentCourseIds"])]


_QUESTIONS = (("Is it <safe>?", "TrueFalse", "Yes", True), ("Why?", "ShortAnswer", "Because it's tested", False))


def answers(account: ISpring, request: Request) -> list[Row]:
    """Two questions, answered by some learners of the course. The second was answered wrong."""
    if (quiz_id := request.first("quizId")) is None:
        raise Refused(400, "quizId is required")
    courses = [each for row in _quizzes(account) if row["quizId"] == quiz_id for each in row["parentCourseIds"]]
    results = [each for each in account.results() if each.course.id in courses][:8]
    start, end = moments(request, "attemptDate")
    allowed = {user.id for user in account.users}
    if departments := account.departments(request, "departmentIds"):
        allowed = {user.id for user in account.users if user.department_id in departments}
    if groups := ids(request, "groupIds"):
        allowed &= account.members_of(groups)
    rows = [
        {
            "userId": result.user.id,
            "enrollmentId": result.enrollment_id,
            "quizVersion": "1",
            "attemptDate": as_date(attempt),
            "isAttemptPassed": number == 0,
            "attemptScore": 50.0,
            "passingScore": 40.0,
            "questionNumber": number + 1,
            "questionTitle": title,
            "questionType": kind,
            "questionScore": 50.0,
            "questionGroup": "Basics",
            "answerText": answer,
            "isAnswerCorrect": is_right,
            "answerScore": 50.0 if is_right else 0.0,
        }
        for result in results
        if result.user.id in allowed
        if (attempt := result.access + timedelta(hours=2))
        if (start is None or start <= attempt) and (end is None or attempt <= end)
        if request.first("parentCourseId") in (None, result.course.id)
        for number, (title, kind, answer, is_right) in enumerate(_QUESTIONS)
    ]
    return chosen(request, rows, userIds="userId", enrollmentIds="enrollmentId")


def assignments(account: ISpring, request: Request) -> list[Row]:
    """All but the last have attempts that are not graded."""
    if (ungraded := request.first("ungraded")) not in (None, "0", "1"):
        raise Refused(400, "Bad value in ungraded")
    rows = [
        {
            "assignmentId": item.id,
            "title": item.title,
            "instructorId": item.author_id,
            "courseFields": [{"fieldId": account.world.id_of("course field", "Topic"), "fieldValue": "Practice"}],
        }
        for item in account.world.library
        if item.kind == "Assignment"
    ]
    return rows[:-1] if ungraded == "1" else rows


def ungraded_attempts(account: ISpring, request: Request, assignment_id: str) -> list[Row]:
    known = [item.id for item in account.world.library if item.kind == "Assignment"]
    if assignment_id not in known:
        raise Refused(400, "Unknown assignment")
    results = account.results()[:3] if assignment_id != known[-1] else []
    rows = [
        {
            "attemptId": account.world.id_of("attempt", assignment_id + result.user.id),
            "enrollmentId": result.enrollment_id,
            "userId": result.user.id,
            "comment": "Done & checked",
            "attachments": [{"fileName": "answer.docx", "fileSize": 2048, "url": "https://example.com/answer.docx"}],
        }
        for result in results
    ]
    return chosen(request, rows, userIds="userId")
