"""``@task.ispring_learn`` and ``@task.zoho_people``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_lms.decorators.ispring import ISpringLearnTask, ispring_learn_task
from airflow_provider_lms.decorators.zoho_people import ZohoPeopleTask
from airflow_provider_lms.lms.errors import LmsError, LmsUnavailable
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.testing import fake_clock
from tests.conftest import RESULTS


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("dag", schedule=None, start_date=datetime(2025, 1, 1)) as found:
        yield found


def run(operator: Any) -> Any:
    """What the task returns."""
    ti = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1)
    return operator.execute({"ti": ti, "outlet_events": {}, "params": {}})


def test_airflow_knows_them_by_name(lms: Simulator) -> None:
    def of_ispring(client: ISpringLearnClient) -> list[str]:
        return [course.content_item_id for page in client.courses() for course in page.records]

    def of_zoho(client: ZohoPeopleClient) -> list[str]:
        return [course.course_id for page in client.courses() for course in page.records]

    decorators: Any = task
    ispring, zoho = decorators.ispring_learn(of_ispring), decorators.zoho_people(of_zoho)
    assert isinstance(ispring().operator, ISpringLearnTask)
    assert isinstance(zoho().operator, ZohoPeopleTask)
    assert sorted(run(ispring().operator)) == sorted(course.id for course in lms.ispring.courses)
    assert sorted(run(zoho().operator)) == sorted(course.id for course in lms.zoho.courses)


def first(client: Any, course: str, count: int = 1) -> tuple[Any, str, int]:
    return client, course, count


def last(course: str, count: int = 1, *, client: Any) -> tuple[Any, str, int]:
    return client, course, count


@pytest.mark.usefixtures("lms")
@pytest.mark.parametrize("function", [first, last])
@pytest.mark.parametrize(
    ("args", "kwargs"), [(("c", 2), {}), (("c",), {"count": 2}), ((), {"course": "c", "count": 2})]
)
def test_the_client_may_stand_anywhere_among_the_parameters(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    client, course, count = run(ispring_learn_task(function)(*args, **kwargs).operator)
    assert isinstance(client, ISpringLearnClient)
    assert (course, count) == ("c", 2)


def test_the_client_is_closed_afterwards(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(ISpringLearnClient, "close", lambda client: closed.append(client))

    def fail(client: Any) -> None:
        seen.append((client, list(closed)))
        raise KeyError

    seen: list[Any] = []
    operator = ispring_learn_task(fail)().operator
    with pytest.raises(KeyError):
        run(operator)
    assert closed == [seen[0][0]]
    assert seen[0][1] == []
    assert operator.op_kwargs == {"client": None}, "Airflow may look at it later"


def test_the_connection_is_templated_and_named(lms: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ispring_learn_conn_id" in ISpringLearnTask.template_fields
    assert "zoho_people_conn_id" in ZohoPeopleTask.template_fields
    made = ispring_learn_task(first, ispring_learn_conn_id="other")("c").operator
    with pytest.raises(Exception, match="other"):
        run(made)


def test_a_refusal_ends_the_task_at_once(lms: Simulator) -> None:
    def read(client: ISpringLearnClient) -> None:
        list(client.module_results())

    lms.ispring.fail(RESULTS, faults.status(403))
    with pytest.raises(AirflowFailException) as raised:
        run(ispring_learn_task(read)().operator)
    assert isinstance(raised.value.__cause__, LmsError)


@pytest.mark.usefixtures("lms")
@pytest.mark.parametrize("is_shown", [False, True])
def test_the_log_shows_what_is_returned_only_if_asked_to(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, is_shown: bool
) -> None:
    def read(client: Any) -> str:
        return "jane@example.com"

    options = {"show_return_value_in_logs": True} if is_shown else {}
    caplog.set_level(logging.INFO)
    assert run(ispring_learn_task(read, **options)().operator) == "jane@example.com"
    assert ("jane@example.com" in caplog.text + capsys.readouterr().out) == is_shown


@pytest.mark.parametrize("max_wait", [0, 60])
def test_an_outage_is_waited_for_as_long_as_max_wait_says(lms: Simulator, max_wait: float) -> None:
    def read(client: ISpringLearnClient) -> int:
        return sum(len(page.records) for page in client.module_results())

    lms.ispring.fail(RESULTS, faults.status(503), times=2)
    operator = ispring_learn_task(read, max_wait=max_wait)().operator
    with fake_clock():
        if max_wait:
            assert run(operator) == len(lms.ispring.module_results())
        else:
            with pytest.raises(LmsUnavailable):
                run(operator)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "message"),
    [
        (lambda course: course, ("c",), {}, "expected a parameter 'client'"),
        (first, ("c",), {"client": 1}, "'client' is not to be passed"),
        (first, ("c", 1, 2), {}, "at most 2 arguments"),
        (first, (), {}, "course"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_when_the_dag_is_parsed(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        ispring_learn_task(function)(*args, **kwargs)


@pytest.mark.usefixtures("lms")
def test_it_can_be_mapped() -> None:
    mapped = ispring_learn_task(last).expand(course=["a", "b"]).operator
    one = mapped.unmap({"op_kwargs": {"course": "b"}})
    client, course, _ = run(one)
    assert isinstance(client, ISpringLearnClient)
    assert course == "b"
