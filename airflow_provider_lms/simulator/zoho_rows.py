"""The rows of what Zoho People has beside progress: content, plans, people and places.

Where the vendor prints a sample, a row has its fields and types. Where it prints none, fields are called as in the
request that creates the thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_lms.simulator.zoho_world import Course, Learner, ZohoWorld, zoho_id

Row = dict[str, Any]

PLANS = 3
TRAINERS = 4


class Entity(NamedTuple):
    """A kind of entity that a module consists of.

    :param kind: Zoho's number for it in progress.
    :param name: what the names of its id and its name begin with.
    :param of_course: whether the entities of a whole course, or batch, can be listed.
    :param fields: the other fields of a row.
    """

    kind: int
    name: str
    of_course: bool
    fields: Mapping[str, Any]


ENTITIES: Mapping[str, Entity] = {
    "offlineTests": Entity(0, "test", True, {"marks": 100, "duration": 30, "isMandatory": True}),
    "onlineTests": Entity(
        1,
        "test",
        False,
        {"durationFor": "test", "duration": 45, "maximumAttemptsAllowed": "unlimited", "passPercentage": 60},
    ),
    "assignments": Entity(
        2,
        "assignment",
        False,
        {"maximumMarks": 100, "submissionType": "text", "submissionTo": "27-02-2026", "lateSubmission": "allow"},
    ),
    "files": Entity(3, "file", True, {"description": "A file", "isMandatory": False}),
    "contents": Entity(4, "content", True, {"description": "An article"}),
    "sessions": Entity(
        5, "session", True, {"type": 0, "date": "31-12-2025", "startTime": "10:00 AM", "endTime": "11:00 AM"}
    ),
    # The vendor's sample.
    "links": Entity(
        6,
        "link",
        True,
        {
            "lockUntil": "23-12-2021",
            "isMandatoryLink": True,
            "canMarkAsComplete": 0,
            "isLocked": True,
            "link": "http://zoho.com/people",
            "description": "Description for Link",
            "resources": [{"resourceURL": "https://example.com/resource.png", "resourceName": "resource.png"}],
            "canUserEdit": True,
            "canUserDelete": True,
        },
    ),
}
"""By Zoho's name for the kind in a path."""


class ZohoRows:
    """The rows of one world.

    :param world: what there is to read.
    :param erecno: the record number of a learner, who is an employee.
    """

    def __init__(self, world: ZohoWorld, erecno: Callable[[Learner], str]) -> None:
        self._world = world
        self._erecno = erecno

    def entities(self, course: Course, segment: str, module_id: str | None = None) -> list[Row]:
        """The entities of a course, or of one of its modules. The first modules have two of a kind, and ten files."""
        entity, modules = ENTITIES[segment], self._world.modules(course)
        each = 10 if entity.kind == 3 else 2
        found = [
            {
                f"{entity.name}Id": self._world.entity_id(course, entity.kind, position),
                f"{entity.name}Name": f"{entity.name.capitalize()} {position + 1}",
                "moduleId": str(modules[position // each]["moduleId"]),
                **entity.fields,
            }
            for position in range(self._world.entity_count(entity.kind))
        ]
        return found if module_id is None else [row for row in found if row["moduleId"] == module_id]

    def details(self, course: Course) -> Row:
        return course.row() | {"description": f"About {course.name}", "duration": 3, "durationUnit": "hour"}

    def settings(self, course: Course) -> Row:  # noqa: ARG002
        return {
            "permissionSettings": {
                "whoCanEnroll": ["admin", "learner"],
                "whoCanUnenroll": ["admin", "learner"],
                "whenAnEntityIsConsideredAsCompleted": 2,
                "whenACourseIsConsideredAsCompleted": 2,
                "whenAModuleIsConsideredAsCompleted": 2,
            }
        }

    def shares(self, course: Course) -> list[Row]:
        """The vendor's sample."""
        people = self._world.everyone[course.number :: 7]
        return [self._person(each) | {"displayPictureURL": "https://example.com/file?ID=1"} for each in people]

    def schedulers(self, course: Course) -> list[Row]:
        return [
            {
                "schedulerId": zoho_id(21, course.number * 10 + number),
                "batchName": f"Every {unit}",
                "cloneType": 1,
                "frequency": 1,
                "frequencyUnit": unit,
                "sourceBatch": None,
                "daysOfTheWeek": ["2", "6"],
                "notifyApplicaleUsers": True,
            }
            for number, unit in enumerate(("week", "month") if course.batches else ())
        ]

    def plans(self) -> list[Row]:
        return [{"planId": int(zoho_id(22, number)), "planName": f"Plan {number + 1}"} for number in range(PLANS)]

    def plan(self, plan_id: str) -> int | None:
        """The number of a plan; None if there is no such plan."""
        return next((number for number in range(PLANS) if zoho_id(22, number) == plan_id), None)

    def learners_of_plan(self, number: int) -> Sequence[Learner]:
        return [each for each in self._world.everyone if each.number % PLANS != number]

    def plan_learners(self, number: int) -> list[Row]:
        return [self._person(each) | {"learnerId": int(each.id)} for each in self.learners_of_plan(number)]

    def plan_progress(self, learner: Learner) -> list[Row]:
        return [
            plan | {"completionPercentage": 50, "completionStatus": "inprogress", "enrolledDate": "05-01-2026"}
            for number, plan in enumerate(self.plans())
            if learner in self.learners_of_plan(number)
        ]

    def plan_courses(self, learner: Learner, number: int) -> list[Row]:
        courses = [course for course in self._world.courses if course.number % PLANS != number]
        progress = [self._world.course_progress(course, learner) for course in courses]
        return [{name: value for name, value in row.items() if name != "learnerId"} for row in progress]

    def trainers(self, status: str) -> list[Row]:
        """The last one has left."""
        people = [self._person(each) for each in self._world.everyone[:TRAINERS]]
        return people[:-1] if status == "active" else people[-1:]

    def categories(self) -> list[Row]:
        return [{"categoryId": zoho_id(23, number), "name": f"Category {number + 1}"} for number in range(5)]

    def rooms(self) -> list[Row]:
        """The vendor's sample: everything is text."""
        return [
            {
                "name": f"Room {number + 1}",
                "location": {"locationId": zoho_id(25, 0), "name": "ZOHO, CHENNAI"},
                "facilities": ["WiFi", "Chairs with writing pad"],
                "roomId": zoho_id(24, number),
                "capacity": "12",
            }
            for number in range(5)
        ]

    def employees(self) -> list[dict[str, list[Row]]]:
        """Each record under its id, and with its id, as the forms API has them."""
        return [{self._erecno(each): [self._employee(each)]} for each in self._world.everyone]

    def _employee(self, learner: Learner) -> Row:
        person, manager = self._world.person(learner), self._world.everyone[0]
        department = self._world.department(learner)
        row = {
            "EmailID": person.email,
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "EmployeeID": str(1001 + learner.number),
            "Zoho_ID": int(self._erecno(learner)),
            "ZUID": str(810_000_000 + learner.number),
            "Employeestatus": "Active",
            "Employeestatus.type": 1,
            "Department": department.name,
            "Department.ID": zoho_id(26, self._world.departments.index(department)),
            "Designation": "",
            "Dateofjoining": "05-Jun-2020",
            "ModifiedTime": "1686048654617",
            "tabularSections": {"Education Details": [{}]},
        }
        if learner is manager:
            return row
        return row | {
            "Reporting_To.ID": self._erecno(manager),
            "Reporting_To.MailID": self._world.person(manager).email,
        }

    def _person(self, learner: Learner) -> Row:
        person = self._world.person(learner)
        return {
            "erecno": self._erecno(learner),
            "displayName": person.first_name,
            "employeeId": str(1001 + learner.number),
            "emailId": person.email,
        }
