"""What the task decorators of all LMSs share."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DecoratedOperator
from airflow.providers.common.compat.standard.operators import PythonOperator

from airflow_provider_lms.killing import Killable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.client import LmsClient

CLIENT = "client"
"""The parameter of the function that gets the client."""


class ClientTask(Killable, DecoratedOperator, PythonOperator):  # type: ignore[misc]  # Airflow's classes are untyped
    """Base of the tasks that are functions with a client.

    The client is opened before the function is called, and closed after it has returned. A client reads lazily, so what
    is returned must not be its pages.

    :param python_callable: the function. Its parameter ``client`` gets the client.
    :param op_args: the positional arguments of the call, without the client.
    :param op_kwargs: the named arguments of the call, without the client.
    :param max_wait: seconds that one request may wait for a rate limit before the task fails with ``LmsRateLimited``.
    :param show_return_value_in_logs: whether the log shows what is returned. It may be about learners.
    :raises TypeError: the function has no parameter ``client``, or the arguments do not fit it.
    """

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        max_wait: float = 900.0,
        show_return_value_in_logs: bool = False,
        **task: Any,
    ) -> None:
        named = _with_room_for_client(python_callable, tuple(op_args or ()), dict(op_kwargs or {}))
        call: dict[str, Any] = {"python_callable": python_callable, "op_args": (), "op_kwargs": named}
        # DecoratedOperator checks the call, and hands to PythonOperator what it is told to.
        super().__init__(kwargs_to_upstream=call, **call, show_return_value_in_logs=show_return_value_in_logs, **task)
        self.max_wait = max_wait

    @abstractmethod
    def connect(self, options: ClientOptions) -> LmsClient:
        """A client of the LMS.

        :param options: how it is used.
        """

    def execute(self, context: Context) -> Any:
        """Call the function.

        :raises AirflowFailException: the LMS refused a call in its own error format, and the task has no
            ``retry_policy``. ``__cause__`` is the :class:`LmsError`.
        """
        from airflow_provider_lms.failures import fail_if_refused
        from airflow_provider_lms.hooks.base import ClientOptions
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.lms.http.retry import RetryPolicy
        from airflow_provider_lms.lms.parameters import parse_float

        retry = RetryPolicy(max_wait=parse_float("max_wait", self.max_wait, 0))
        with closing(self.connect(ClientOptions(retry=retry))) as client, self._killable():
            self.op_kwargs = {**self.op_kwargs, CLIENT: client}
            try:
                return super().execute(context)
            except LmsError as error:
                fail_if_refused(self, error)
                raise
            finally:
                self.op_kwargs = {**self.op_kwargs, CLIENT: None}


def _with_room_for_client(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call, with None in place of the client: Airflow checks them before there is a client.

    All of them are by name, since the client may stand anywhere among the parameters.
    """
    signature = inspect.signature(function)
    if CLIENT not in signature.parameters:
        raise TypeError(f"{function.__name__}: expected a parameter {CLIENT!r}. It gets the client of the LMS.")
    if CLIENT in kwargs:
        raise TypeError(f"{function.__name__}: {CLIENT!r} is not to be passed. The task opens the client itself.")
    names = [name for name in signature.parameters if name != CLIENT]
    if len(args) > len(names):
        raise TypeError(f"{function.__name__}: expected at most {len(names)} arguments beside {CLIENT!r}.")
    return {**dict(zip(names, args, strict=False)), **kwargs, CLIENT: None}
