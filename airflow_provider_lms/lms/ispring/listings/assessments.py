"""Quizzes with the answers to them, and assignments with the attempts that wait for a grade."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from airflow_provider_lms.lms.ispring.listings.api import ENVELOPE, ONE_PIECE, PAGES
from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter, DateRangeFilter, IdFilter
from airflow_provider_lms.lms.listing.path import PathId
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Envelope, Listing, Parent


class Quiz(Record, kw_only=True):
    """A quiz."""

    quiz_id: Annotated[Id, about("The quiz.")]
    quiz_title: Annotated[str | None, about("Its title.")] = None
    content_item_id: Annotated[str | None, about("The content item that the quiz is in.", references="contents")] = None
    parent_course_ids: Annotated[Any, about("The courses that have the quiz: a list of their ids.")] = None


class QuizAnswer(Record, kw_only=True):
    """An answer of a learner to a question of a quiz. A question with several statements has a row for each.

    Scores are points; ``attempt_score`` and ``passing_score`` are those of the whole attempt.
    """

    watermark: ClassVar[str | None] = "attempt_date"

    quiz_id: Annotated[Id, about("The quiz.", references="quizzes")]
    user_id: Annotated[Id, about("The learner.", personal="indirect", references="users")]
    enrollment_id: Annotated[str | None, about("The enrollment.", personal="indirect", references="enrollments")] = None
    quiz_version: Annotated[str | None, about("The version of the quiz.")] = None
    attempt_date: Annotated[datetime | None, about("When the attempt was made, in UTC.", personal="indirect")] = None
    is_attempt_passed: Annotated[bool | None, about("Whether the attempt was passed.", personal="indirect")] = None
    attempt_score: Annotated[float | None, about("The score of the attempt.", personal="indirect")] = None
    passing_score: Annotated[float | None, about("The score that is needed to pass.")] = None
    question_number: Annotated[WholeNumber | None, about("The question's number.")] = None
    question_title: Annotated[str | None, about("The question.")] = None
    question_type: Annotated[str | None, about("Its type; the values are not documented.")] = None
    question_score: Annotated[float | None, about("The most that the question can score.", known="assumed")] = None
    question_group: Annotated[str | None, about("The group of the question, if there is one.")] = None
    statement_title: Annotated[str | None, about("The statement within the question, if there is one.")] = None
    answer_text: Annotated[str | None, about("The learner's answer.", personal="indirect")] = None
    custom_answer_text: Annotated[
        str | None, about("What the learner wrote as an answer of their own.", personal="indirect")
    ] = None
    is_answer_correct: Annotated[bool | None, about("Whether the answer is right.", personal="indirect")] = None
    answer_score: Annotated[float | None, about("What the answer has scored.", personal="indirect")] = None


class Assignment(Record, kw_only=True):
    """An assignment."""

    assignment_id: Annotated[Id, about("The assignment.")]
    title: Annotated[str | None, about("Its title.")] = None
    instructor_id: Annotated[
        str | None, about("Who grades it.", personal="indirect", known="assumed", references="users")
    ] = None
    course_fields: Annotated[Any, about("Its custom fields: a list of objects.")] = None


class UngradedAttempt(Record, kw_only=True):
    """An attempt of a learner at an assignment that nobody has graded yet."""

    assignment_id: Annotated[Id, about("The assignment.", references="assignments")]
    attempt_id: Annotated[Id, about("The attempt.", personal="indirect")]
    enrollment_id: Annotated[str | None, about("The enrollment.", personal="indirect", references="enrollments")] = None
    user_id: Annotated[Id, about("The learner.", personal="indirect", references="users")]
    comment: Annotated[str | None, about("The learner's comment.", personal="indirect")] = None
    attachments: Annotated[
        Any,
        about(
            "What the learner has handed in: a list of objects with fileName, fileSize in bytes, and url.",
            personal="indirect",
        ),
    ] = None


QUIZZES = Listing(
    name="quizzes",
    path="/quizzes",
    record=Quiz,
    rows="results",
    row="result",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("quiz_id",),
    filters=(
        IdFilter("quiz_ids", "quizIds[]", row="quiz_id"),
        IdFilter("content_item_ids", "contentItemIds[]", row="content_item_id"),
        IdFilter("parent_course_ids", "parentCourseIds[]"),
    ),
    source="OpenAPI GET /quizzes",
)

QUIZ_ANSWERS = Listing(
    name="quiz_answers",
    path="/report/answer-breakdown",
    record=QuizAnswer,
    rows="results",
    row="result",
    pager=PAGES,
    # The OpenAPI document names the root results, as the list within it.
    envelope=Envelope(is_empty=ENVELOPE.is_empty, is_error=ENVELOPE.is_error, xml_root="results"),
    key=(),
    path_ids=(PathId("quiz_id", "quizId", param="quizId"),),
    filters=(
        IdFilter("parent_course_id", "parentCourseId", single=True),
        IdFilter("user_ids", "userIds[]", row="user_id"),
        IdFilter("enrollment_ids", "enrollmentIds[]", row="enrollment_id"),
        IdFilter("department_ids", "departmentIds[]"),
        IdFilter("group_ids", "groupIds[]"),
        DateRangeFilter("attempt_date", "attemptDate"),
    ),
    parent=Parent(QUIZZES, {"quiz_id": "quiz_id"}),
    source="OpenAPI GET /report/answer-breakdown",
)

ASSIGNMENTS = Listing(
    name="assignments",
    path="/assignments",
    record=Assignment,
    rows="assignments",
    row="assignment",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("assignment_id",),
    filters=(ChoiceFilter("ungraded", "ungraded", ("0", "1"), owner="iSpring's values of this filter"),),
    source="OpenAPI GET /assignments",
)

UNGRADED_ATTEMPTS = Listing(
    name="ungraded_attempts",
    path="/assignment/{assignment_id}/attempts/ungraded",
    record=UngradedAttempt,
    rows="attempts",
    row="attempt",
    shape="rows",
    pager=ONE_PIECE,
    envelope=ENVELOPE,
    key=("attempt_id",),
    path_ids=(PathId("assignment_id", "assignmentId"),),
    filters=(IdFilter("user_ids", "userIds[]", row="user_id"),),
    parent=Parent(ASSIGNMENTS, {"assignment_id": "assignment_id"}),
    source="OpenAPI GET /assignment/{assignmentId}/attempts/ungraded",
)
