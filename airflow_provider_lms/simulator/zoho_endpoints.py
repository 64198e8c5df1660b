"""The endpoints of the simulated Zoho People: what each takes, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.world import World
from airflow_provider_lms.simulator.zoho_rows import ENTITIES, ZohoRows
from airflow_provider_lms.simulator.zoho_world import Batch, Course, Learner, ZohoWorld, zoho_id

LMS, FORMS = "training", "forms"
"""The families of Zoho's scopes."""
_ID = r"([^/]+)"


class Refused(Exception):
    def __init__(self, status: int, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.reply = Reply(status=status, content=content)


@dataclass(frozen=True)
class Route:
    """An endpoint.

    :param path: a pattern for method and path. Its groups are ids.
    :param answer: called with the request and the ids.
    :param parameters: the query parameters that it takes.
    :param scope: the family of scopes that it needs.
    :param operation: the scope that it needs of this family.
    """

    path: str
    answer: Callable[..., dict[str, Any]]
    parameters: tuple[str, ...] = ("startIndex",)
    scope: str = LMS
    operation: Literal["READ", "CREATE"] = "READ"


class ZohoEndpoints(Vendor):
    """Everything of an account that can be read.

    :param world: what there is to read.
    """

    page_size = 25
    form_page_size = 200
    learner_id_is_erecno = False
    """Whether the record number of an employee is the id of the learner as well. Zoho does not document it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.show(world)

    def show(self, world: World) -> None:
        with self._mutex:
            self.world = ZohoWorld(world)
            self.rows = ZohoRows(self.world, self.erecno)
            self.routes = [*self._course_routes(), *self._content_routes(), *self._account_routes()]

    def erecno(self, learner: Learner) -> str:
        """The record number of a learner as an employee."""
        return learner.id if self.learner_id_is_erecno else zoho_id(20, learner.number)

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.world.courses

    def _course_routes(self) -> list[Route]:
        one, course = rf"GET /api/v1/courses/{_ID}", rf"GET /api/v1/courses/{_ID}(?:/batches/{_ID})?"
        entity = "|".join(ENTITIES)
        return [
            Route("GET /api/v1/courses", self._courses, ("startIndex", "search", "type", "state", "sortBy")),
            Route(one, self._details, ("batchId",)),
            Route(rf"{one}/settings", self._settings, ()),
            Route(rf"{one}/share", self._shares),
            Route(rf"{one}/batches/schedulers", self._schedulers),
            Route(rf"{one}/batches", self._batches),
            Route(rf"{course}/modules", self._modules),
            Route(rf"{course}/learners/{_ID}/progress", self._entity_progress, ("startIndex", "entityType")),
            Route(rf"{course}/learners/{_ID}/({entity})/{_ID}/progress", self._single_progress, ()),
            Route(rf"{course}/modules/{_ID}/learners/{_ID}/progress", self._module_progress, ()),
            Route(rf"{course}/learners/{_ID}/course-progress", self._learner_in_course, ("startIndex", "progressType")),
            Route(rf"{course}/course-progress", self._learners_of_course),
            Route(rf"GET /api/v1/learners/{_ID}/course-progress", self._courses_of_learner),
        ]

    def _content_routes(self) -> list[Route]:
        of_course = "|".join(segment for segment, entity in ENTITIES.items() if entity.of_course)
        course, modules = rf"GET /api/v1/courses/{_ID}(?:/batches/{_ID})?", rf"(?:/modules/{_ID})"
        return [
            Route(rf"{course}{modules}/({'|'.join(ENTITIES)})", self._entities),
            Route(rf"{course}{modules}?/({of_course})", self._entities),
        ]

    def _account_routes(self) -> list[Route]:
        def listing(name: str, rows: Callable[[], list[dict[str, Any]]]) -> Route:
            return Route(f"GET /api/v1/{name}", lambda request: self._page(request, name, rows()) | {"code": "200"})

        plans, learner = "GET /api/v1/learning-plans", rf"GET /api/v1/learners/{_ID}/learning-plans"
        employees = "GET /people/api/forms/employee/getRecords"
        return [
            listing("rooms", self.rows.rooms),
            listing("categories", self.rows.categories),
            Route("GET /api/v1/trainers", self._trainers, ("startIndex", "employeeStatus", "sortBy")),
            Route(plans, self._plans, ("startIndex", "limit")),
            Route(rf"{plans}/{_ID}/learners", self._plan_learners, ()),
            Route(rf"{learner}/progress", self._plan_progress),
            Route(rf"{learner}/{_ID}/courses/progress", self._plan_courses, ("startIndex", "Limit")),
            Route(employees, self._employees, ("sIndex", "limit"), FORMS),
        ]

    def _page(
        self,
        request: Request,
        name: str,
        rows: Sequence[Any],
        *,
        size: int | None = None,
        row: Callable[[Any], dict[str, Any]] = dict,
        **more: Any,
    ) -> dict[str, Any]:
        """A page of rows.

        :param row: makes one; it is called only for those on the page.
        """
        start = _number(request, "startIndex", 0)
        end = start + (self.page_size if size is None else size)
        page = {"code": 200, **more, name: [row(each) for each in rows[start:end]], "message": "success"}
        return page | {"hasMoreRecords": end < len(rows)}

    def _courses(self, request: Request) -> dict[str, Any]:
        kind, state, order = (request.first(name) for name in ("type", "state", "sortBy"))
        if (
            kind not in (None, "1", "2", "3")
            or state not in (None, "drafted", "published", "disabled")
            or order not in (None, "name", "-name")
        ):
            raise bad_value()
        text = (request.first("search") or "").casefold()
        found = [
            course
            for course in self.courses
            if text in course.name.casefold() and kind in (None, str(course.type)) and state in (None, "published")
        ]
        if order is not None:
            found.sort(key=lambda course: course.name, reverse=order == "-name")
        return self._page(request, "courses", [course.row() for course in found]) | {"code": "200"}

    def _details(self, request: Request, course_id: str) -> dict[str, Any]:
        course, batch_id = self._course(course_id), request.first("batchId")
        if bool(batch_id) != bool(course.batches):
            raise bad_value()
        self._batch(course, batch_id)
        return {"code": "200", "course": self.rows.details(course), "message": "success"}

    def _settings(self, request: Request, course_id: str) -> dict[str, Any]:  # noqa: ARG002
        return {"code": "200", "settings": self.rows.settings(self._course(course_id)), "message": "success"}

    def _shares(self, request: Request, course_id: str) -> dict[str, Any]:
        return self._page(request, "sharedUsers", self.rows.shares(self._course(course_id))) | {"code": "200"}

    def _schedulers(self, request: Request, course_id: str) -> dict[str, Any]:
        return self._page(request, "batchScheduler", self.rows.schedulers(self._course(course_id))) | {"code": "200"}

    def _batches(self, request: Request, course_id: str) -> dict[str, Any]:
        course = self._course(course_id)
        rows = [batch.row() | {"learnersCount": len(self.world.learners(course, batch))} for batch in course.batches]
        return self._page(request, "batches", rows) | {"code": "200"}

    def _modules(self, request: Request, course_id: str, batch_id: str | None) -> dict[str, Any]:
        course = self._course(course_id)
        self._batch(course, batch_id)
        return self._page(request, "modules", self.world.modules(course))

    def _entities(
        self, request: Request, course_id: str, batch_id: str | None, *module_and_segment: str | None
    ) -> dict[str, Any]:
        module_id, segment = module_and_segment
        course = self._course(course_id)
        if self._batch(course, batch_id) is None and segment == "sessions":
            raise _not_found()
        if module_id is not None:
            self._module(course, module_id)
        return self._page(request, str(segment), self.rows.entities(course, str(segment), module_id))

    def _module_progress(
        self,
        request: Request,  # noqa: ARG002
        course_id: str,
        batch_id: str | None,
        module_id: str,
        learner_id: str,
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        position = self._module(course, module_id)
        rows = [self.world.entities(course, learner, kind)[position] for kind in range(10)]
        return {"code": 200, "learnerId": int(learner.id), "learnerProgress": rows, "message": "success"}

    def _single_progress(
        self,
        request: Request,  # noqa: ARG002
        course_id: str,
        batch_id: str | None,
        learner_id: str,
        *entity: str,
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        kind, name, *_ = ENTITIES[entity[0]]
        found = [row for row in self.world.entities(course, learner, kind) if str(row[f"{name}Id"]) == entity[1]]
        if not found:
            raise _not_found()
        return {"code": 200, "learnerId": int(learner.id), "learnerProgress": found[0], "message": "success"}

    def _entity_progress(
        self, request: Request, course_id: str, batch_id: str | None, learner_id: str
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        kind = request.first("entityType")
        if kind is None or not re.fullmatch("[0-9]", kind):
            raise bad_value()
        rows = self.world.entities(course, learner, int(kind))
        return self._page(request, "learnerProgress", rows, learnerId=int(learner.id), entityType=int(kind))

    def _learner_in_course(
        self, request: Request, course_id: str, batch_id: str | None, learner_id: str
    ) -> dict[str, Any]:
        course, learner = self._enrolled(course_id, batch_id, learner_id)
        kind = request.first("progressType")
        if kind not in (None, "0", "1"):
            raise bad_value()
        progress = self.world.course_progress(course, learner, only_mandatory=kind == "1")
        return self._page(request, "courseProgress", [progress])

    def _learners_of_course(self, request: Request, course_id: str, batch_id: str | None) -> dict[str, Any]:
        course = self._course(course_id)
        learners = self.world.learners(course, self._batch(course, batch_id))
        return self._page(request, "courseProgress", learners, row=partial(self.world.course_progress, course))

    def _courses_of_learner(self, request: Request, learner_id: str) -> dict[str, Any]:
        rows = [
            self.world.course_progress(course, learner)
            for course in self.courses
            for batch in course.batches or (None,)
            for learner in self.world.learners(course, batch)
            if learner.id == learner_id
        ]
        if not rows:
            raise _not_found()
        return self._page(request, "courseProgress", rows)

    def _trainers(self, request: Request) -> dict[str, Any]:
        status = request.first("employeeStatus") or "active"
        if status not in ("active", "inactive"):
            raise bad_value()
        return self._page(request, "trainers", self.rows.trainers(status)) | {"code": "200"}

    def _plans(self, request: Request) -> dict[str, Any]:
        return self._page(
            request, "learningPlans", self.rows.plans(), size=min(_number(request, "limit", 1), self.page_size)
        )

    def _plan_learners(self, request: Request, plan_id: str) -> dict[str, Any]:  # noqa: ARG002
        return {"code": 200, "learners": self.rows.plan_learners(self._plan(plan_id)), "message": "success"}

    def _plan_progress(self, request: Request, learner_id: str) -> dict[str, Any]:
        return self._page(request, "learningPlanProgress", self.rows.plan_progress(self._learner(learner_id)))

    def _plan_courses(self, request: Request, learner_id: str, plan_id: str) -> dict[str, Any]:
        learner, plan = self._learner(learner_id), self._plan(plan_id)
        if learner not in self.rows.learners_of_plan(plan):
            raise _not_found()
        size = _number(request, "Limit", 25)
        if not 25 <= size <= 100:
            raise bad_value()
        rows = self.rows.plan_courses(learner, plan)
        # Where a test has made pages smaller, these are smaller as well.
        return self._page(request, "courseProgress", rows, size=size * self.page_size // 25)

    def _employees(self, request: Request) -> dict[str, Any]:
        start, size = _number(request, "sIndex", 1) - 1, _number(request, "limit", 200)
        if start < 0 or not 0 < size <= 200:
            raise _form_error(7021, "Maximum record limit 200 is exceeded")
        found = self.rows.employees()[start : start + min(size, self.form_page_size)]
        if not found:
            raise _form_error(7024, "No records found")
        said = "Data fetched successfully"
        return {"response": {"result": found, "message": said, "uri": "/api/forms/employee/getRecords", "status": 0}}

    def _plan(self, plan_id: str) -> int:
        number = self.rows.plan(plan_id)
        if number is None:
            raise _not_found()
        return number

    def _learner(self, learner_id: str) -> Learner:
        learner = next((each for each in self.world.everyone if each.id == learner_id), None)
        if learner is None:
            raise _not_found()
        return learner

    def _module(self, course: Course, module_id: str) -> int:
        """The number of a module in its course."""
        ids = [str(row["moduleId"]) for row in self.world.modules(course)]
        if module_id not in ids:
            raise _not_found()
        return ids.index(module_id)

    def _course(self, course_id: str) -> Course:
        course = next((course for course in self.courses if course.id == course_id), None)
        if course is None:
            raise _not_found()
        return course

    def _batch(self, course: Course, batch_id: str | None) -> Batch | None:
        if batch_id is None and not course.batches:
            return None
        batch = next((batch for batch in course.batches if batch.id == batch_id), None)
        if batch is None:
            raise _not_found()
        return batch

    def _enrolled(self, course_id: str, batch_id: str | None, learner_id: str) -> tuple[Course, Learner]:
        course = self._course(course_id)
        learners = self.world.learners(course, self._batch(course, batch_id))
        learner = next((learner for learner in learners if learner.id == learner_id), None)
        if learner is None:
            raise _not_found()
        return course, learner


def _number(request: Request, name: str, default: int) -> int:
    given = request.first(name) or str(default)
    if not given.isdigit():
        raise bad_value()
    return int(given)


def _form_error(code: int, said: str) -> Refused:
    uri = "/api/forms/employee/getRecords"
    content = {"message": "Error occurred", "uri": uri, "errors": {"code": code, "message": said}, "status": 1}
    return Refused(200, {"response": content})


def bad_value() -> Refused:
    """A parameter is missing or wrong."""
    return Refused(400, {"code": 400, "message": "Invalid parameter value/input parameter missing"})


def _not_found() -> Refused:
    return Refused(404, {"code": 404, "message": "Not found"})


def extra_parameters() -> Refused:
    """A parameter is not honored."""
    return Refused(400, {"response": {"status": 1, "errors": {"code": 7203, "message": "Extra parameters"}}})
