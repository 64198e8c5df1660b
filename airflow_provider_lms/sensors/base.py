"""What every completion sensor shares: one reading per poke, the verdict, and deferring."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_lms.lms.completion import Goal, Verdict

_MANY = 1_000
_PATIENCE = 300.0
_LONG_LOCK = 60.0


class CompletionWatchError(Exception):
    """The triggerer could not wait for the learners; trying again may do."""


class LmsCourseCompletionSensor(BaseSensorOperator):
    """Base of the sensors that wait until a course's learners have completed it.

    A rate limit, a lock or an outage of the LMS means "not yet", with a warning, until the timeout. What the LMS
    refuses for good, and a requirement that cannot be met any more, raise ``AirflowFailException``. All modes come to
    the same.

    :param course_id: the course (templated).
    :param required_share: the share of the cohort that must have completed, above 0 and up to 1, also as ``"80%"``;
        rounded up (templated).
    :param required_count: how many learners must have completed, in place of a share (templated).
    :param min_cohort: a smaller cohort is waited for; at least 1 (templated).
    :param on_missing: a named learner who is not in the course: ``wait``; ``fail`` counts them as lost, and the sensor
        fails once the requirement cannot be met without those who are lost; ``ignore`` takes them out of the cohort
        (templated).
    :param completed_statuses: the LMS's words for a completed course (templated); None takes the usual ones.
    :param poke_interval: seconds between two pokes.
    :param deferrable: wait in the triggerer, where sensors for the same course share one poll.
    """

    conn_type: ClassVar[str]
    conn_id_field: ClassVar[str]
    template_fields: Sequence[str] = (
        "course_id",
        "required_share",
        "required_count",
        "min_cohort",
        "on_missing",
        "completed_statuses",
    )

    def __init__(
        self,
        *,
        course_id: str | int,
        required_share: float | str = 1.0,
        required_count: int | str | None = None,
        min_cohort: int | str = 1,
        on_missing: str = "wait",
        completed_statuses: Sequence[str] | str | None = None,
        poke_interval: timedelta | float = 300.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.course_id = course_id
        self.required_share = required_share
        self.required_count = required_count
        self.min_cohort = min_cohort
        self.on_missing = on_missing
        self.completed_statuses = completed_statuses
        self.deferrable = deferrable
        self._warned: set[str] = set()
        self._linked = False

    @abstractmethod
    def connect(self, max_wait: float, longest_lock: float) -> Any:
        """A client of the LMS.

        :param max_wait: seconds that one call may wait for the budget.
        :param longest_lock: a lock that lasts so many seconds or more is raised, and not waited for.
        """

    @abstractmethod
    def course(self) -> dict[str, Any]:
        """What is read, as rendered: the parameters of the LMS's ``CourseReader`` as plain JSON."""

    @abstractmethod
    def goal(self) -> Goal:
        """Who must have completed it.

        :raises ValueError: a parameter cannot be meant as it is; it is named.
        """

    @abstractmethod
    def reader(self, client: Any) -> Any:
        """Reads the course on a worker."""

    def link(self, client: Any, context: Mapping[str, Any]) -> None:
        """Let the UI lead to the course, where the LMS tells its address."""

    def poke(self, context: Context) -> PokeReturnValue:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.lms.plan import carry_out

        goal = self.goal()
        client = self.connect(_PATIENCE, _LONG_LOCK)
        try:
            reader = self.reader(client)
            verdict = carry_out(reader.plan(goal.wanted)).judge(goal)
            if not self._linked and not context.get("task_reschedule_count"):
                self._linked = True
                self.link(client, context)
        except (LmsError, CoordinationError) as error:
            if not error.transient:
                raise AirflowFailException(str(error)) from error
            self.log.warning("%s Not known yet whether the learners have completed the course.", error)
        else:
            self.log.info("%s.", verdict.progress())
            if self._decided(verdict):
                return PokeReturnValue(is_done=True, xcom_value=verdict.result(self.course()["course_id"]))
        finally:
            client.close()
        if self.deferrable and "ti" in context:
            self._defer(goal)
        return PokeReturnValue(is_done=False)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """What :meth:`poke` would have come to.

        :param event: of :class:`~airflow_provider_lms.triggers.completion.CourseCompletionTrigger`.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

        event = event if isinstance(event, dict) else {}
        status = event.get("status")
        if status == "met" and "result" in event:
            result: dict[str, Any] = event["result"]
            return result
        if status in ("impossible", "refused"):
            raise AirflowFailException(event.get("message"))
        if status == "timeout":
            raise AirflowSensorTimeout(f"Sensor has timed out: the specified timeout is {self.timeout} seconds.")
        raise CompletionWatchError(event.get("message") or "The triggerer has sent an event that means nothing here.")

    def _decided(self, verdict: Verdict) -> bool:
        from airflow.providers.common.compat.sdk import AirflowFailException

        for warning in verdict.warnings():
            if warning not in self._warned:
                self._warned.add(warning)
                self.log.warning(warning)
        if verdict.outcome == "impossible":
            raise AirflowFailException(verdict.failure())
        return verdict.outcome == "met"

    def _defer(self, goal: Goal) -> NoReturn:
        from airflow_provider_lms.triggers.completion import CourseCompletionTrigger

        if goal.named is not None and len(goal.named) > _MANY:
            self.log.warning(
                "%d ids go to the triggerer by way of Airflow's database, which on MySQL holds about 1,200. "
                "Better wait for the whole course, or narrow it by the sensor's other parameters.",
                len(goal.named),
            )
        trigger = CourseCompletionTrigger(
            conn_type=self.conn_type,
            conn_id=getattr(self, self.conn_id_field),
            course=_plain(self.course()),
            goal=_plain(goal),
            poke_interval=self.poke_interval,
            deadline=time.time() + self.timeout,
        )
        # The trigger itself keeps to the timeout, after a last poll; this one is for a triggerer that cannot.
        slack = timedelta(seconds=2 * self.poke_interval + _PATIENCE)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout) + slack)


def _plain(value: Any) -> dict[str, Any]:
    """The same in dicts, lists and scalars, which Airflow keeps as they are."""
    import msgspec

    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
