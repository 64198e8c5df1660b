"""The declared listings against the schemas of the vendor's OpenAPI document "Learn Rest Api" 3.0.

The fields are typed in from the document, not taken from the declarations. ``*`` marks those that it requires.
"""

from __future__ import annotations

import msgspec
import pytest

from airflow_provider_lms.lms.ispring.listings import LISTINGS

CONTENT = "contentItemId* title* subtitle* description* userId* addedDate* viewUrl* type* contentItemType courseFields"
RESULT = (
    "enrollmentId accessDate* dueDate expirationDate completionDate timeSpent completionStatus* awardedScore "
    "passingScore progress isOverdue* viewsCount"
)

SCHEMAS = {
    "module_results": f"userId* courseId* moduleId* moduleTitle* courseItemId* {RESULT}",
    "course_results": f"userId* courseId* courseTitle* duration {RESULT}",
    "courses": CONTENT,
    "contents": CONTENT,
    "learning_tracks": CONTENT,
    "users": (
        "userId* role* roleId* departmentId* status* fields* addedDate* lastLoginDate* manageableDepartmentIds "
        "userRoles* groups subordination* coSubordination* workLeaveStatus securityPolicyAcceptanceDate "
        "privacyPolicyConsentAcceptanceDate"
    ),
    "enrollments": (
        "enrollmentId* courseId* learnerId* accessDate* dueDate expirationDate shouldLockAfterDueDate* certificate "
        "enrollmentTypeGroup*"
    ),
    "departments": "departmentId* name* parentDepartmentId code subordination* coSubordination*",
    "groups": "groupId* name* isSmart*",
    "group_members": "usersCount* groupId* userIds* name* isSmart*",
    "roles": "roleId* type* title* description*",
    "profile_fields": "userFieldInfoId* name* label* type* isUnique* isRequired* orderPriority* values*",
    # CourseModule; the operation is given CoursesModule, which has contentItemId in place of itemId and no type.
    "course_modules": (
        "moduleId* itemId* courseId* title* description* authorId* addedDate* type* trainingType viewUrl "
        "sequentialNumber*"
    ),
    "course_fields": "fieldId* fieldCustomId* fieldLabel* fieldType*",
    "course_tree": "contentItemId* title* type* description* addedDate* viewUrl* parentId* isShared*",
    "learning_track_courses": "learningTrackId* courseId*",
    "final_statuses": "userId* status* progress* completionDate lastViewDate",
    "gamification_points": "userId* points*",
    "active_users": "ids* activityStartDate activityEndDate",
    "certificates": "url*",
    "quizzes": "quizId* quizTitle* contentItemId* parentCourseIds*",
    "quiz_answers": (
        "userId* enrollmentId* quizVersion* attemptDate* isAttemptPassed* attemptScore* passingScore* questionNumber* "
        "questionTitle* questionType* questionScore* questionGroup statementTitle answerText* customAnswerText "
        "isAnswerCorrect* answerScore*"
    ),
    "assignments": "assignmentId* title* instructorId courseFields",
    "ungraded_attempts": "attemptId* enrollmentId* userId* comment* attachments",
    "trainings": "title* organizer* sessions* type*",
    "training_sessions": "id* title* startTime* duration* instructor dayIds*",
    "training_days": "dayId* sessionId* trainingId* startTime* duration location url",
    "training_participants": "participants*",
    "checklists": "checklistId* checklistTitle* checklistStatus* sessionIds*",
    "job_training_results": (
        "checklistId* checklistTitle* sessionId* sessionStatus* startDate* actualStartDate completionDate result "
        "totalPoints points employeeId* observerId*"
    ),
    "criterion_group_results": (
        "groupId* checklistId* groupTitle* sessionId* result totalPoints points employeeId* observerId*"
    ),
    "criterion_results": (
        "criterionId* groupId* checklistId* criterionTitle* sessionId* skipped* totalPoints points employeeId* "
        "observerId*"
    ),
}

LEFT_OUT = {
    ("group_members", "usersCount"): "the number of the rows",
    ("group_members", "userIds"): "each id is a row of its own, with userId",
    ("group_members", "name"): "in groups",
    ("group_members", "isSmart"): "in groups",
    ("active_users", "ids"): "each id is a row of its own, with userId",
    ("training_participants", "participants"): "each id is a row of its own, with userId",
}

NOT_IN_THE_SCHEMA = {
    "courses": {"viewType"},
    "contents": {"viewType"},
    "learning_tracks": {"viewType"},
    "enrollments": {"issuedCertificateId", "certIssueDate", "certExpiryDate"},
    "certificates": {"downloadedFile"},
    "group_members": {"userId"},
    "active_users": {"userId"},
    "training_participants": {"userId"},
}
"""Fields that are required elsewhere in the document, that older versions have, or that an id becomes."""


def fields(name: str) -> dict[str, msgspec.structs.FieldInfo]:
    return {each.encode_name: each for each in msgspec.structs.fields(LISTINGS[name].record)}


def test_every_listing_has_a_schema() -> None:
    assert SCHEMAS.keys() == LISTINGS.keys()


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_documented_field_is_declared_or_left_out_for_a_reason(name: str) -> None:
    documented = {field.rstrip("*") for field in SCHEMAS[name].split()}
    left_out = {field for listing, field in LEFT_OUT if listing == name}
    assert left_out <= documented
    assert documented - fields(name).keys() == left_out


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_other_field_is_declared(name: str) -> None:
    documented = {field.rstrip("*") for field in SCHEMAS[name].split()}
    of_path = {each.field for each in LISTINGS[name].path_ids}
    assert fields(name).keys() - documented - of_path == NOT_IN_THE_SCHEMA.get(name, set())


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_the_document_does_not_require_may_be_absent(name: str) -> None:
    """A field that is required here but not there would break pages that are right."""
    optional = {field for field in SCHEMAS[name].split() if not field.endswith("*")}
    required = {field for field, each in fields(name).items() if each.required}
    assert not optional & required
