"""Operators that change iSpring Learn: enrollments and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, get_args

from airflow_provider_lms.operators.sync import LmsSyncOperator, SyncOptions

if TYPE_CHECKING:
    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.ispring import ISpringLearnClient
    from airflow_provider_lms.sync.apply import Target
    from airflow_provider_lms.sync.ispring.enrollments import DueDate, EnrollmentOptions
    from airflow_provider_lms.sync.ispring.enrollments import Removals as EnrollmentRemovals
    from airflow_provider_lms.sync.ispring.people import PeopleOptions
    from airflow_provider_lms.sync.ispring.people import Removals as PeopleRemovals
    from airflow_provider_lms.sync.plan import Plan


class ISpringSyncOperator(LmsSyncOperator["ISpringLearnClient"]):
    """Base of the operators that change iSpring Learn.

    :param ispring_learn_conn_id: the connection (templated). Its account must have the right to change what is changed.
    """

    template_fields: Sequence[str] = ("ispring_learn_conn_id", *LmsSyncOperator.template_fields)

    def __init__(self, *, ispring_learn_conn_id: str = "ispring_learn_default", **common: Unpack[SyncOptions]) -> None:
        super().__init__(**common)
        self.ispring_learn_conn_id = ispring_learn_conn_id

    def connect(self, options: ClientOptions) -> ISpringLearnClient:
        from airflow_provider_lms.hooks.ispring import ISpringLearnHook

        return ISpringLearnHook(self.ispring_learn_conn_id, options=options).get_conn()


class ISpringEnrollmentSyncOperator(ISpringSyncOperator):
    """Enrolls people in courses of iSpring Learn as the desired state says: as a plan first, then as approved.

    A desired row names a person and a course. These columns are read, by the names that ``columns`` gives them:

    * ``person``: what ``match_by`` says. Without an entry in ``columns`` it is called ``user_id``, ``email``,
      ``login`` or as the profile field.
    * ``course_id``: a course, a learning track or other content.
    * ``due_date``, if there is one: the due date of a new enrollment. If the enrollment that there is has another one,
      it is moved.
    * ``access_date``, if there is one: the day on which a new enrollment begins; otherwise it begins at once.
    * ``enrolled_since``, if there is one: an enrollment that began before is to be repeated, once its course is over.
      So ``2026-01-01`` means: in 2026 again.

    :param match_by: what people are found by: ``user_id``, ``email``, ``login``, or a profile field such as
        ``fields.EMPLOYEE_NO`` (templated).
    :param manage: whom the plan may touch: ``department_ids`` (with their sub-departments), ``group_ids``, or both, and
        ``course_ids`` whose enrollments may be removed, beside those of the rows (templated).
    :param removals: ``never``, or ``unenroll``: managed people lose enrollments in these courses that no row asks for,
        unless they chose the course themselves (templated). Needs ``manage``.
    :param due: the due date of a new enrollment without a ``due_date``: ``default``, the course's own, or
        ``unlimited`` (templated).

    The other parameters are those of :class:`~airflow_provider_lms.operators.sync.LmsSyncOperator`.

    Example::

        plan = ISpringEnrollmentSyncOperator(
            task_id="plan",
            desired="s3://hr/enrollments.csv",
            columns={"person": "mail", "course_id": "training"},
            output_path="s3://lake/lms/plans/{{ run_id }}",
        )
        apply = ISpringEnrollmentSyncOperator(
            task_id="apply",
            mode="apply",
            plan=plan.output,
            approved_hash="{{ params.approved_hash }}",
            output_path="s3://lake/lms/reports/{{ run_id }}",
        )
    """

    kind = "enrollments"
    template_fields: Sequence[str] = ("match_by", "removals", "due", *ISpringSyncOperator.template_fields)

    def __init__(
        self,
        *,
        match_by: str = "email",
        removals: EnrollmentRemovals = "never",
        due: DueDate = "default",
        ispring_learn_conn_id: str = "ispring_learn_default",
        **common: Unpack[SyncOptions],
    ) -> None:
        super().__init__(ispring_learn_conn_id=ispring_learn_conn_id, **common)
        self.match_by = match_by
        self.removals = removals
        self.due = due

    def check_plan_parameters(self) -> None:
        self._options()

    def make_plan(self, client: ISpringLearnClient) -> Plan:
        from airflow_provider_lms.sync.ispring.accounts import person_column
        from airflow_provider_lms.sync.ispring.enrollments import COLUMNS, REQUIRED, plan_enrollments

        options = self._options()
        rows = self.desired_rows(COLUMNS, REQUIRED, {"person": person_column(options.match_by)})
        return plan_enrollments(client, rows, options)

    def target(self, client: ISpringLearnClient, settings: Mapping[str, Any]) -> Target:  # noqa: ARG002
        from airflow_provider_lms.sync.ispring.enrollment_target import EnrollmentTarget

        return EnrollmentTarget(client)

    def _options(self) -> EnrollmentOptions:
        from airflow_provider_lms.lms.parameters import parse_choice
        from airflow_provider_lms.sync.ispring.accounts import Manage, parse_match_by
        from airflow_provider_lms.sync.ispring.enrollments import MANAGED, DueDate, EnrollmentOptions, Removals
        from airflow_provider_lms.sync.limits import Limits, check_removals

        manage = Manage.parse(self.manage, MANAGED)
        removals: Removals = parse_choice("removals", self.removals, get_args(Removals))
        check_removals(removals, names_people=manage is not None and manage.names_people)
        return EnrollmentOptions(
            match_by=parse_match_by(self.match_by),
            manage=manage,
            removals=removals,
            due=parse_choice("due", self.due, get_args(DueDate)),
            limits=Limits.parse(self.max_changes, self.max_removals),
        )


class ISpringPeopleSyncOperator(ISpringSyncOperator):
    """Brings people in iSpring Learn in step with HR: as a plan first, then as approved.

    A desired row names a person. These columns are read, by the names that ``columns`` gives them. What a row leaves
    empty is neither compared nor changed:

    * ``person``: what ``match_by`` says. Without an entry in ``columns`` it is called ``user_id``, ``email``, ``login``
      or as the profile field.
    * ``login`` and ``email``. A new person needs both, and a department.
    * ``department``: an id, a code or a name.
    * ``manager``: somebody, named as ``person`` names people.
    * ``active``: yes or no. No deactivates, if ``removals`` allows it; yes activates an inactive account.
    * profile fields, which ``columns`` must name: ``{"fields.JOB_TITLE": "title"}``.

    Nobody is deleted, and nobody gets an e-mail unless ``send_invitation`` says so.

    :param match_by: what people are found by: ``user_id``, ``email``, ``login``, or a profile field such as
        ``fields.EMPLOYEE_NO`` (templated).
    :param manage: whom the plan may touch: ``department_ids`` (with their sub-departments), ``group_ids``, or both
        (templated).
    :param removals: who loses access (templated). ``never``: nobody. ``deactivate_listed``: those whose row says that
        they are not active. ``deactivate``: also every managed person without a row, so the rows must list everybody;
        this needs ``manage``.
    :param create: whether people who are not found get an account.
    :param send_invitation: whether a new person gets the LMS's e-mail.

    The other parameters are those of :class:`~airflow_provider_lms.operators.sync.LmsSyncOperator`.

    Example::

        ISpringPeopleSyncOperator(
            task_id="plan_people",
            desired=read_hr_system.output,
            match_by="fields.EMPLOYEE_NO",
            columns={"person": "number", "email": "mail", "login": "mail", "department": "unit"},
            output_path="s3://lake/lms/plans/people/{{ run_id }}",
        )
    """

    kind = "people"
    template_fields: Sequence[str] = ("match_by", "removals", *ISpringSyncOperator.template_fields)

    def __init__(
        self,
        *,
        match_by: str = "email",
        removals: PeopleRemovals = "never",
        create: bool = True,
        send_invitation: bool = False,
        ispring_learn_conn_id: str = "ispring_learn_default",
        **common: Unpack[SyncOptions],
    ) -> None:
        super().__init__(ispring_learn_conn_id=ispring_learn_conn_id, **common)
        self.match_by = match_by
        self.removals = removals
        self.create = create
        self.send_invitation = send_invitation

    def check_plan_parameters(self) -> None:
        self._options()

    def make_plan(self, client: ISpringLearnClient) -> Plan:
        from airflow_provider_lms.sync.ispring.accounts import person_column
        from airflow_provider_lms.sync.ispring.people import REQUIRED, columns_for, plan_people

        options = self._options()
        known = [*columns_for(self.columns)]
        return plan_people(
            client, self.desired_rows(known, REQUIRED, {"person": person_column(options.match_by)}), options
        )

    def target(self, client: ISpringLearnClient, settings: Mapping[str, Any]) -> Target:
        from airflow_provider_lms.sync.ispring.people_target import PeopleTarget

        return PeopleTarget(client, send_invitation=settings["send_invitation"] is True)

    def _options(self) -> PeopleOptions:
        from airflow_provider_lms.lms.parameters import parse_choice, parse_flag
        from airflow_provider_lms.sync.ispring.accounts import Manage, parse_match_by
        from airflow_provider_lms.sync.ispring.people import MANAGED, PeopleOptions, Removals
        from airflow_provider_lms.sync.limits import Limits, check_removals

        manage = Manage.parse(self.manage, MANAGED)
        removals: Removals = parse_choice("removals", self.removals, get_args(Removals))
        if removals == "deactivate":
            check_removals(removals, names_people=manage is not None and manage.names_people)
        return PeopleOptions(
            match_by=parse_match_by(self.match_by),
            manage=manage,
            removals=removals,
            create=parse_flag("create", self.create),
            send_invitation=parse_flag("send_invitation", self.send_invitation),
            limits=Limits.parse(self.max_changes, self.max_removals),
        )
