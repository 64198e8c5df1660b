"""The operator that changes Zoho People's LMS: enrollments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, get_args

from airflow_provider_lms.operators.sync import LmsSyncOperator, SyncOptions

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.sync.apply import Target
    from airflow_provider_lms.sync.plan import Plan
    from airflow_provider_lms.sync.zoho_people.enrollments import (
        LearnerId,
        MatchBy,
        Removals,
        ZohoEnrollmentOptions,
    )


class ZohoPeopleEnrollmentSyncOperator(LmsSyncOperator["ZohoPeopleClient"]):
    """Enrolls employees in courses of Zoho People's LMS as the desired state says: as a plan first, then as approved.

    The connection's refresh token needs the scope ``ZOHOPEOPLE.training.ALL``, and ``ZOHOPEOPLE.forms.READ`` for the
    list of employees.

    A desired row names an employee and a course. These columns are read, by the names that ``columns`` gives them:

    * ``person``: what ``match_by`` says. Without an entry in ``columns`` it is called ``record_id``, ``email`` or
      ``employee_id``.
    * ``course_id``
    * ``batch_id``: of a blended course.

    Each request of a batch is preceded and followed by reading the course's learners, 25 in a call. Zoho allows 30
    calls a minute, so a course of 500 learners takes a minute and a half per 50 enrollments.

    :param match_by: what employees are found by: ``record_id`` (Zoho's ``erecno``), ``email`` or ``employee_id``
        (templated).
    :param learner_id_is: which of an employee's ids the LMS calls a learner's id: ``record_id``, ``zuid`` or
        ``employee_id`` (templated). Zoho does not say. If most learners of the courses are no employees by this id, no
        plan is made.
    :param manage: whom the plan may touch: ``{"department_ids": [...]}``, without their sub-departments (templated).
    :param removals: ``never``, or ``unenroll``: managed employees leave these courses and batches if no row asks for
        them (templated). Needs ``manage`` and ``allow_undocumented``.
    :param zoho_people_conn_id: the connection (templated).
    :param allow_undocumented: whether to unenroll although Zoho's page names two parameters for it, of which one is
        right.

    The other parameters are those of :class:`~airflow_provider_lms.operators.sync.LmsSyncOperator`.

    Example::

        ZohoPeopleEnrollmentSyncOperator(
            task_id="plan",
            desired="s3://hr/enrollments.parquet",
            output_path="s3://lake/lms/plans/{{ run_id }}",
        )
    """

    kind = "enrollments"
    template_fields: Sequence[str] = (
        "zoho_people_conn_id",
        "match_by",
        "learner_id_is",
        "removals",
        *LmsSyncOperator.template_fields,
    )

    def __init__(
        self,
        *,
        match_by: MatchBy = "email",
        learner_id_is: LearnerId = "record_id",
        removals: Removals = "never",
        allow_undocumented: bool = False,
        zoho_people_conn_id: str = "zoho_people_default",
        **common: Unpack[SyncOptions],
    ) -> None:
        super().__init__(**common)
        self.match_by = match_by
        self.learner_id_is = learner_id_is
        self.removals = removals
        self.allow_undocumented = allow_undocumented
        self.zoho_people_conn_id = zoho_people_conn_id

    def connect(self, options: ClientOptions) -> ZohoPeopleClient:
        from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook

        return ZohoPeopleHook(self.zoho_people_conn_id, options=options).get_conn()

    def check_plan_parameters(self) -> None:
        self._options()

    def make_plan(self, client: ZohoPeopleClient) -> Plan:
        from airflow_provider_lms.sync.zoho_people.enrollments import COLUMNS, REQUIRED, plan_enrollments

        options = self._options()
        rows = self.desired_rows(COLUMNS, REQUIRED, {"person": options.match_by})
        return plan_enrollments(client, rows, options)

    def target(self, client: ZohoPeopleClient, settings: Mapping[str, Any]) -> Target:
        from airflow_provider_lms.sync.zoho_people.enrollment_target import ZohoEnrollmentTarget

        return ZohoEnrollmentTarget(client, allow_undocumented=settings["allow_undocumented"] is True)

    def _options(self) -> ZohoEnrollmentOptions:
        from airflow_provider_lms.lms.parameters import parse_choice, parse_flag
        from airflow_provider_lms.sync.limits import Limits, check_removals
        from airflow_provider_lms.sync.zoho_people.enrollments import (
            LearnerId,
            MatchBy,
            Removals,
            ZohoEnrollmentOptions,
        )

        departments = ZohoEnrollmentOptions.parse_manage(self.manage)
        removals: Removals = parse_choice("removals", self.removals, get_args(Removals))
        check_removals(removals, names_people=departments is not None)
        allow_undocumented = parse_flag("allow_undocumented", self.allow_undocumented)
        if removals != "never" and not allow_undocumented:
            raise ValueError(
                "allow_undocumented: removals='unenroll' needs it. Zoho's page names two parameters for this request, "
                "and does not say which is right."
            )
        return ZohoEnrollmentOptions(
            match_by=parse_choice("match_by", self.match_by, get_args(MatchBy)),
            learner_id_is=parse_choice("learner_id_is", self.learner_id_is, get_args(LearnerId)),
            department_ids=departments,
            removals=removals,
            allow_undocumented=allow_undocumented,
            limits=Limits.parse(self.max_changes, self.max_removals),
        )
