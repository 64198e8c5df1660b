"""Learning plans, their learners, and the progress of learners in them.

The vendor prints no sample. Fields are called as in course progress and in the list of people whom a course is shared
with.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.records import Id, Record
from airflow_provider_lms.lms.listing.spec import Listing, Parent
from airflow_provider_lms.lms.zoho_people.listings.api import (
    LEARNER,
    ONE_PIECE,
    PAGES,
    PLAN,
    LearnerId,
    Number,
    ResponseLearnerId,
    envelope,
)

_PlanId: TypeAlias = Annotated[Id, about("The learning plan.", known="assumed", references="learning_plans")]
_EnrolledDate: TypeAlias = Annotated[
    str | None, about("When the learner was enrolled: Zoho's text.", known="assumed", personal="indirect")
]
_CompletionDate: TypeAlias = Annotated[
    str | None, about("When the learner has completed it: Zoho's text.", known="assumed", personal="indirect")
]
_Percentage: TypeAlias = Annotated[Number, about("How much is done, in percent.", known="assumed", personal="indirect")]
_Status: TypeAlias = Annotated[str | None, about("Zoho's word for the progress.", known="assumed", personal="indirect")]


class LearningPlan(Record, kw_only=True):
    """A learning plan: several courses to be completed. Fields that Zoho sends beside these are kept."""

    plan_id: Annotated[Id, about("The learning plan.", known="assumed")]
    plan_name: Annotated[str | None, about("Its name.", known="assumed")] = None
    description: Annotated[str | None, about("Its description.", known="assumed")] = None


class LearningPlanLearner(Record, kw_only=True):
    """A learner in a learning plan."""

    plan_id: _PlanId
    learner_id: Annotated[
        Id, about("The learner; erecno if Zoho sends no learnerId.", known="assumed", personal="indirect")
    ]
    erecno: Annotated[
        str | None,
        about("The learner's employee record.", known="assumed", personal="indirect", references="employees"),
    ] = None
    employee_id: Annotated[
        str | None, about("The learner's number in the organization.", known="assumed", personal="indirect")
    ] = None
    display_name: Annotated[str | None, about("The learner's name.", known="assumed", personal="direct")] = None
    email_id: Annotated[str | None, about("The learner's e-mail address.", known="assumed", personal="direct")] = None


class LearningPlanProgress(Record, kw_only=True):
    """A learner's progress in a learning plan."""

    learner_id: LearnerId
    response_learner_id: ResponseLearnerId = None
    plan_id: _PlanId
    plan_name: Annotated[str | None, about("The plan's name.", known="assumed")] = None
    enrolled_date: _EnrolledDate = None
    completion_date: _CompletionDate = None
    completion_percentage: _Percentage = None
    completion_status: _Status = None


class LearningPlanCourse(Record, kw_only=True):
    """A learner's progress in a course of a learning plan."""

    learner_id: LearnerId
    response_learner_id: ResponseLearnerId = None
    plan_id: _PlanId
    course_id: Annotated[Id, about("The course.", known="assumed", references="courses")]
    course_name: Annotated[str | None, about("The course's name.", known="assumed")] = None
    course_type: Annotated[str | None, about("The course's type.", known="assumed")] = None
    batch_id: Annotated[
        str | None, about("The batch, if the course is blended.", known="assumed", references="batches")
    ] = None
    batch_name: Annotated[str | None, about("The batch's name.", known="assumed")] = None
    enrolled_date: _EnrolledDate = None
    completion_date: _CompletionDate = None
    completion_percentage: _Percentage = None
    completion_status: _Status = None


LEARNING_PLANS = Listing(
    name="learning_plans",
    path="/learning-plans",
    record=LearningPlan,
    rows="learningPlans",
    pager=PAGES,
    envelope=envelope("learningPlans", "plans"),
    key=("plan_id",),
    # The vendor's sample sends it. Without it, Zoho documents one plan in a page.
    params=(("limit", "50"),),
    aliases={"planId": "id", "planName": "name"},
    source='LMS, "Fetch Learning Plans"',
)

LEARNING_PLAN_LEARNERS = Listing(
    name="learning_plan_learners",
    path="/learning-plans/{plan_id}/learners",
    record=LearningPlanLearner,
    rows="learners",
    pager=ONE_PIECE,
    # The page calls them learners, its samples call /members.
    envelope=envelope("learners", "members"),
    key=("plan_id", "learner_id"),
    path_ids=(PLAN,),
    aliases={"learnerId": "erecno"},
    parent=Parent(LEARNING_PLANS, {"plan_id": "plan_id"}),
    source='LMS, "Fetch Learning Plan\'s Learner Details"',
)

LEARNING_PLAN_PROGRESS = Listing(
    name="learning_plan_progress",
    path="/learners/{learner_id}/learning-plans/progress",
    record=LearningPlanProgress,
    rows="learningPlanProgress",
    pager=PAGES,
    envelope=envelope("learningPlanProgress", "learningPlans", "learningPlansProgress"),
    key=("learner_id", "plan_id"),
    path_ids=(LEARNER,),
    aliases={"planId": "id", "planName": "name"},
    parent=Parent(LEARNING_PLAN_LEARNERS, {"learner_id": "learner_id"}),
    source='LMS, "Fetch Learner\'s Learning Plan Progress"',
)

LEARNING_PLAN_COURSES = Listing(
    name="learning_plan_courses",
    path="/learners/{learner_id}/learning-plans/{plan_id}/courses/progress",
    record=LearningPlanCourse,
    rows="courseProgress",
    pager=PAGES,
    envelope=envelope("courseProgress", "courses"),
    key=("learner_id", "plan_id", "course_id", "batch_id"),
    # The most that Zoho documents, where it sends 25 otherwise.
    params=(("Limit", "100"),),
    path_ids=(LEARNER, PLAN),
    aliases={"courseId": "id", "courseName": "name", "courseType": "type"},
    parent=Parent(LEARNING_PLAN_LEARNERS, {"learner_id": "learner_id", "plan_id": "plan_id"}),
    source='LMS, "Fetch Progress of Courses within a Learning Plan"',
)
