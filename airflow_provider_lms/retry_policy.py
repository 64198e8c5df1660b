"""When Airflow tries a failed task again, and after how long, by the kind of failure. For Airflow 3.3 and newer."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.lms.errors import LmsError, LmsRateLimited, LmsUnavailable
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy

    HAS_RETRY_POLICIES = True
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy

        HAS_RETRY_POLICIES = True
    except ImportError:
        RetryPolicy, HAS_RETRY_POLICIES = object, False

_MOST_DOUBLINGS = 30


class LmsRetryPolicy(RetryPolicy):
    """Retries what may succeed later, when it may, and nothing that the LMS would refuse again.

    * A rate limit or a lock: after its wait, and a little longer, so that tasks do not come back all at once.
    * An outage, a damaged response, or a store that tasks share and that is away: after growing pauses, and not before
      the time that the LMS names.
    * A refusal in the LMS's own error format, such as a wrong secret or an unknown course: no retry.
    * Anything else: as the task's ``retries`` and ``retry_delay`` say.

    Airflow asks the policy on the worker. It can end the retries early, but not extend them: ``retries`` still counts.

    :param outage_delay: the pause after the first failed attempt. It doubles with each further one.
    :param longest_delay: the longest of these pauses. Waits that the LMS asks for may be longer.
    :raises RuntimeError: Airflow is older than 3.3.

    Example::

        ISpringModuleResultsOperator(
            task_id="module_results", output_path="s3://lake/lms/modules", retries=5, retry_policy=LmsRetryPolicy()
        )
    """

    def __init__(
        self, *, outage_delay: timedelta = timedelta(minutes=1), longest_delay: timedelta = timedelta(hours=1)
    ) -> None:
        if not HAS_RETRY_POLICIES:
            raise RuntimeError(
                "LmsRetryPolicy needs Airflow 3.3 or newer, which brings retry policies. Leave out retry_policy: "
                "without it, tasks end at once if the LMS refuses a call, and follow retries and retry_delay otherwise."
            )
        if not timedelta(0) < outage_delay <= longest_delay:
            raise ValueError("outage_delay: must be positive, and not longer than longest_delay.")
        self.outage_delay = outage_delay
        self.longest_delay = longest_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide by the exception that the task has raised. See the class."""
        if not isinstance(exception, LmsError | CoordinationError):
            return RetryDecision.default()
        kind = type(exception).__name__
        if not exception.transient:
            refused = isinstance(exception, LmsError) and exception.is_refusal
            if refused:
                return RetryDecision.fail(f"{kind}: the LMS would refuse the same call again.")
            return RetryDecision.default()
        asked = exception.retry_after if isinstance(exception, LmsRateLimited | LmsUnavailable) else None
        if asked is not None and isinstance(exception, LmsRateLimited):
            seconds = asked + random.uniform(1.0, max(1.0, min(60.0, asked / 10)))  # noqa: S311
            return RetryDecision.retry(timedelta(seconds=seconds), f"{kind}: no request may be sent for {asked:.0f} s.")
        seconds = max(self._pause(try_number), asked or 0.0)
        return RetryDecision.retry(timedelta(seconds=seconds), f"{kind}: it may succeed later.")

    def _pause(self, try_number: int) -> float:
        doubled = self.outage_delay.total_seconds() * 2 ** min(max(try_number - 1, 0), _MOST_DOUBLINGS)
        # Shortened at random, never lengthened: longest_delay holds.
        return float(min(doubled, self.longest_delay.total_seconds()) * random.uniform(0.9, 1.0))  # noqa: S311

    def serialize(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return {
            "outage_delay": self.outage_delay.total_seconds(),
            "longest_delay": self.longest_delay.total_seconds(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> LmsRetryPolicy:
        """The policy that :meth:`serialize` was called on."""
        return cls(**{name: timedelta(seconds=data[name]) for name in ("outage_delay", "longest_delay")})
