"""Operators that read people and their learning plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_lms.operators.zoho_people.base import Id, ZohoPeopleExtractOperator, ZohoPeopleExtractOptions

if TYPE_CHECKING:
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.lms.listing.splits import Reading
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.listings.account import Employee
    from airflow_provider_lms.lms.zoho_people.listings.plans import LearningPlanProgress


class ZohoPeopleEmployeesOperator(ZohoPeopleExtractOperator):
    """Reads the employees: names, e-mail addresses, managers, departments.

    The refresh token needs the scope ``ZOHOPEOPLE.forms.READ``.

    Example::

        ZohoPeopleEmployeesOperator(
            task_id="employees", columns=["erecno", "emailId", "department"], output_path="s3://lake/zoho/employees"
        )
    """

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.account import EMPLOYEES

        return EMPLOYEES

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[Employee]:
        return client.employees(start=start)


class ZohoPeopleLearningPlanProgressOperator(ZohoPeopleExtractOperator):
    """Reads the progress of learners in their learning plans: one request for each learner of a plan.

    :param plan_ids: learning plans (templated): their learners are read; None is all plans.
    :param learner_id: one learner in place of plans (templated).

    Example::

        ZohoPeopleLearningPlanProgressOperator(task_id="plans", output_path="s3://lake/zoho/plan_progress")
    """

    template_fields: Sequence[str] = ("plan_ids", "learner_id", *ZohoPeopleExtractOperator.template_fields)

    def __init__(
        self,
        *,
        plan_ids: Sequence[Id] | Id | None = None,
        learner_id: Id | None = None,
        **common: Unpack[ZohoPeopleExtractOptions],
    ) -> None:
        super().__init__(**common)
        self.plan_ids = plan_ids
        self.learner_id = learner_id

    def declaration(self) -> Listing[Any]:
        from airflow_provider_lms.lms.zoho_people.listings.plans import LEARNING_PLAN_PROGRESS

        return LEARNING_PLAN_PROGRESS

    def query(self) -> Mapping[str, object]:
        return {"plan_ids": self.plan_ids, "learner_id": self.learner_id}

    def read(self, client: ZohoPeopleClient, start: str | None) -> Reading[LearningPlanProgress]:
        if self.plan_ids is not None and self.learner_id is not None:
            raise ValueError("learner_id: give either plan_ids or learner_id.")
        return client.read("learning_plan_progress", start=start, plan_ids=self.plan_ids, learner_id=self.learner_id)
