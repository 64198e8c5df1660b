"""What all completion sensors share: one reading per poke, its evaluation, and deferring."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Unpack

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_lms import clock
from airflow_provider_lms.durations import describe_duration
from airflow_provider_lms.killing import Killable
from airflow_provider_lms.operators.lineage import ReportsLineage, TaskLineage
from airflow_provider_lms.sensors.options import OnMissing, SensorOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from msgspec import Struct

    from airflow_provider_lms.hooks.base import ClientOptions, CourseHook
    from airflow_provider_lms.lms.course.criteria import Criteria
    from airflow_provider_lms.lms.course.evaluation import Evaluation
    from airflow_provider_lms.lms.course.readers import CourseMemory, CourseQuery

_MANY_IDS = 1_000
_MAX_WAIT = 300.0
"""Seconds that a poke may wait for the rate limit before it counts as "not yet"."""


class CompletionWatchError(Exception):
    """The triggerer could not wait for the learners. A retry may succeed."""


class LmsCourseCompletionSensor(Killable, ReportsLineage, BaseSensorOperator):
    """Base of the sensors that wait until a course's learners have completed it.

    A rate limit, a lock or an outage of the LMS means "not yet", with a warning, until the timeout. Final errors of the
    LMS, and a requirement that cannot be met any more, raise ``AirflowFailException``. With a ``retry_policy``, final
    errors of the LMS are raised as they are, so that it can decide. All modes give the same result.

    :param course_id: the course (templated).
    :param required_share: the share of the cohort that must have completed, above 0 and up to 1, also as ``"80%"``;
        rounded up (templated).
    :param required_count: how many learners must have completed, in place of a share (templated).
    :param min_cohort: a smaller cohort is waited for; at least 1 (templated).
    :param on_missing: what to do about a named learner who is not in the course (templated). ``wait``. ``fail`` counts
        the learner as failed; the sensor fails once the requirement cannot be met without the failed ones. ``ignore``
        takes the learner out of the cohort.
    :param completed_statuses: the LMS's words for a completed course (templated); None takes the usual ones.
    :param poke_interval: seconds between two pokes, or a timedelta.
    :param deferrable: wait in the triggerer. Sensors for the same course then share one poll. The default is Airflow's
        ``[operators] default_deferrable``.
    """

    conn_type: ClassVar[str]
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
        on_missing: OnMissing = "wait",
        completed_statuses: Sequence[str] | str | None = None,
        poke_interval: timedelta | float = 300.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **sensor: Unpack[SensorOptions],
    ) -> None:
        super().__init__(poke_interval=poke_interval, **sensor)
        self.course_id = course_id
        self.required_share = required_share
        self.required_count = required_count
        self.min_cohort = min_cohort
        self.on_missing = on_missing
        self.completed_statuses = completed_statuses
        self.deferrable = deferrable
        self.lineage = TaskLineage()
        self._told_statuses: set[str] = set()
        self._link_pushed = False
        self._last_count: str | None = None
        self._deadline: float | None = None
        # In poke mode the sensor lives on between pokes, and with it what they have learned about the course.
        self._memory: CourseMemory | None = None

    @property
    @abstractmethod
    def conn_id(self) -> str:
        """The connection's id, as rendered."""

    @abstractmethod
    def hook(self, options: ClientOptions) -> CourseHook[Any, Any, Any]:
        """The hook of the LMS.

        :param options: how its client is used.
        """

    @abstractmethod
    def course(self) -> CourseQuery:
        """What to read: the LMS's course query, from the parameters as rendered.

        :raises ValueError: a parameter is invalid; it is named.
        """

    @abstractmethod
    def criteria(self) -> Criteria:
        """Who must have completed the course.

        :raises ValueError: a parameter is invalid; it is named.
        """

    def push_link(self, context: Mapping[str, Any], find: Callable[[], str | None]) -> None:
        """Let the UI lead to the course, if the LMS tells its address.

        :param find: asks the LMS for the address.
        """

    def execute(self, context: Context) -> Any:
        """Poke until the criteria are met.

        :raises AirflowSensorTimeout: they were not met in time; the message repeats the last count.
        :raises AirflowFailException: they cannot be met any more, or the LMS gave a final error.
        """
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        self._deadline = self._find_deadline(context)
        try:
            with self._killable():
                return super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(f"{error} {self._last_count or 'The course could not be read.'}") from None

    def poke(self, context: Context) -> PokeReturnValue:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_lms.coordination import CoordinationError
        from airflow_provider_lms.failures import has_retry_policy
        from airflow_provider_lms.lms.errors import LmsError

        course, criteria = self.course(), self.criteria()
        try:
            evaluation = self._read(course, criteria, context)
        except (LmsError, CoordinationError) as error:
            if not error.transient:
                if has_retry_policy(self):
                    raise
                raise AirflowFailException(str(error)) from error
            self.log.warning("%s It is not known yet whether the learners have completed the course.", error)
        else:
            self._last_count = f"Last count: {evaluation.describe()}."
            if self._is_decided(evaluation):
                return PokeReturnValue(is_done=True, xcom_value=evaluation.result(course.course_id))
        if self.deferrable and "ti" in context:
            self._defer(course, criteria)
        return PokeReturnValue(is_done=False)

    def execute_complete(self, context: Context, event: Any = None, *, read: Sequence[str] = ()) -> dict[str, Any]:  # noqa: ARG002
        """End as :meth:`poke` would have ended.

        :param event: of :class:`~airflow_provider_lms.triggers.completion.CourseCompletionTrigger`.
        :param read: the asset URIs of the listings that are read.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

        from airflow_provider_lms.failures import error_from, has_retry_policy

        for uri in read:
            self.lineage.add(uri)
        event = event if isinstance(event, dict) else {}
        status, message = event.get("status"), event.get("message")
        if status == "met" and "result" in event:
            result: dict[str, Any] = event["result"]
            return result
        if status == "refused" and has_retry_policy(self):
            raise error_from(event)
        if status in ("impossible", "refused"):
            raise AirflowFailException(message)
        if status == "timeout":
            raise AirflowSensorTimeout(f"The sensor has timed out after {describe_duration(self.timeout)}. {message}")
        raise CompletionWatchError(message or "The triggerer sent an event that this sensor does not know.")

    def _read(self, course: CourseQuery, criteria: Criteria, context: Context) -> Evaluation:
        from airflow_provider_lms.hooks.base import ClientOptions
        from airflow_provider_lms.lms.course.readers import CourseMemory
        from airflow_provider_lms.lms.course.reading import read_course
        from airflow_provider_lms.lms.http.retry import RetryPolicy
        from airflow_provider_lms.operators.waiting import WORTH_LEAVING

        retry = RetryPolicy(
            max_wait=_MAX_WAIT, longest_lock=WORTH_LEAVING, longest_queue=WORTH_LEAVING if self.deferrable else None
        )
        hook = self.hook(ClientOptions(retry=retry, on_read=self.lineage.add))
        with closing(hook.get_conn()) as client:
            if self._memory is None:
                self._memory = CourseMemory()
            reader = hook.course_reader(course, client, self._memory)
            evaluation = read_course(reader, criteria, self._log_second_reading)
            self._push_link_once(context, lambda: hook.course_url(course, client))
            return evaluation

    def _log_second_reading(self, evaluation: Evaluation) -> None:
        self.log.info("%s. Reading the course once more to be sure.", evaluation.describe())

    def _push_link_once(self, context: Context, find: Callable[[], str | None]) -> None:
        if not self._link_pushed and not context.get("task_reschedule_count"):
            self._link_pushed = True
            self.push_link(context, find)

    def _is_decided(self, evaluation: Evaluation) -> bool:
        from airflow.providers.common.compat.sdk import AirflowFailException

        if (warning := evaluation.warning(self._told_statuses)) is not None:
            self.log.warning(warning)
        if evaluation.outcome == "impossible":
            raise AirflowFailException(evaluation.describe_failure())
        is_met = evaluation.outcome == "met"
        outlook = "" if is_met else self._outlook()
        self.log.info("%s%s.", evaluation.describe(), outlook and f"; {outlook}")
        return is_met

    def _find_deadline(self, context: Context) -> float | None:
        """When the sensor times out, in seconds since 1970; None if that is not known."""
        began = clock.utcnow()
        if self.reschedule:
            # As Airflow 3 itself does. Airflow 2 has no public way to find the start.
            find = getattr(context.get("ti"), "get_first_reschedule_date", None)
            if find is None:
                return None
            began = find(context) or began
        return began.timestamp() + self.timeout

    def _outlook(self) -> str:
        parts = []
        # With exponential_backoff, Airflow computes the next interval after the poke, with a random part.
        if not self.exponential_backoff:
            parts.append(f"next check in {describe_duration(self.poke_interval)}")
        if self._deadline is not None:
            parts.append(f"timeout in {describe_duration(self._deadline - clock.timestamp())}")
        return ", ".join(parts)

    def _defer(self, course: CourseQuery, criteria: Criteria) -> NoReturn:
        from airflow_provider_lms.triggers.completion import LAST_READING_SECONDS, CourseCompletionTrigger

        if criteria.named is not None and len(criteria.named) > _MANY_IDS:
            self.log.warning(
                "%d ids are passed to the triggerer through Airflow's database, which on MySQL holds about 1,200. "
                "Wait for the whole course, or narrow it by the sensor's other parameters.",
                len(criteria.named),
            )
        trigger = CourseCompletionTrigger(
            conn_type=self.conn_type,
            conn_id=self.conn_id,
            course=_plain(course),
            criteria=_plain(criteria),
            poke_interval=self.poke_interval,
            deadline=clock.timestamp() + self.timeout,
        )
        # The trigger itself keeps to the timeout, after a last poll. This one is for a triggerer that cannot.
        margin = timedelta(seconds=2 * self.poke_interval + LAST_READING_SECONDS)
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"read": [*self.lineage.read]},
            timeout=timedelta(seconds=self.timeout) + margin,
        )


def _plain(value: Struct) -> dict[str, Any]:
    """The same as dicts, lists and scalars, which Airflow can store."""
    import msgspec

    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
