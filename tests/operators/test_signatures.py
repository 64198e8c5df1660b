"""What an IDE, mypy and Airflow see of the operators and sensors: their parameters, all of them, with their meaning."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, BaseOperator, BaseSensorOperator

from airflow_provider_lms.lms.ispring.listings import LISTINGS as ISPRING
from airflow_provider_lms.lms.listing.filters import DateRangeFilter
from airflow_provider_lms.lms.zoho_people.listings import LISTINGS as ZOHO
from airflow_provider_lms.operators import ispring, options, zoho_people
from airflow_provider_lms.operators.any_listing import AnyListing
from airflow_provider_lms.operators.base import LmsExtractOperator
from airflow_provider_lms.sensors import ispring as ispring_sensors
from airflow_provider_lms.sensors import options as sensor_options
from airflow_provider_lms.sensors import zoho_people as zoho_sensors
from airflow_provider_lms.sensors.base import LmsCourseCompletionSensor

OPERATORS = [
    each
    for module in (ispring, zoho_people)
    for each in vars(module).values()
    if inspect.isclass(each) and issubclass(each, LmsExtractOperator)
]
ANY = [each for each in OPERATORS if issubclass(each, AnyListing)]
NAMED = [each for each in OPERATORS if not inspect.isabstract(each) and each not in ANY]
SENSORS = [ispring_sensors.ISpringCourseCompletionSensor, zoho_sensors.ZohoPeopleCourseCompletionSensor]
REQUIRED = {"course_id": "1"}


NOT_IN_EVERY_AIRFLOW = {"render_template_as_native_obj", "retry_policy"}
NOT_OURS_TO_TAKE = {"sla", "task_concurrency", "context"}
"""Airflow 3 takes ``sla`` only to warn that it does nothing. Airflow 2 passes ``context`` itself."""


def airflow_parameters(kind: type) -> set[str]:
    """The parameters that one of Airflow's classes or its parents take."""
    return {
        each.name
        for base in kind.__mro__
        if "__init__" in vars(base)
        for each in inspect.signature(vars(base)["__init__"]).parameters.values()
        if each.name != "self" and each.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    }


def own_parameters(kind: type) -> set[str]:
    """The parameters that a class itself declares."""
    found = inspect.signature(vars(kind)["__init__"]).parameters if "__init__" in vars(kind) else {}
    return {name for name, each in found.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def all_parameters(kind: type) -> set[str]:
    """The parameters that a class declares itself or takes from this package's bases."""
    return {
        name
        for base in kind.__mro__
        if base.__module__.startswith("airflow_provider_lms")
        for name in own_parameters(base)
    }


@pytest.mark.parametrize(
    ("typed_dict", "parent", "kind"),
    [
        (options.ExtractOptions, options.TaskOptions, LmsExtractOperator),
        (ispring.ISpringExtractOptions, options.ExtractOptions, ispring.ISpringExtractOperator),
        (ispring.ISpringResultOptions, ispring.ISpringExtractOptions, ispring.ISpringCourseResultsOperator),
        (zoho_people.ZohoPeopleExtractOptions, options.ExtractOptions, zoho_people.ZohoPeopleExtractOperator),
        (sensor_options.CompletionOptions, sensor_options.SensorOptions, LmsCourseCompletionSensor),
    ],
)
def test_the_options_are_the_parameters_of_their_class(typed_dict: Any, parent: Any, kind: type) -> None:
    assert typed_dict.__annotations__.keys() - parent.__annotations__.keys() == own_parameters(kind)


@pytest.mark.parametrize(
    ("typed_dict", "airflow"),
    [(options.TaskOptions, BaseOperator), (sensor_options.SensorOptions, BaseSensorOperator)],
)
def test_airflow_knows_its_options(typed_dict: Any, airflow: type) -> None:
    assert set(typed_dict.__annotations__) - airflow_parameters(airflow) <= NOT_IN_EVERY_AIRFLOW


@pytest.mark.parametrize(
    ("typed_dict", "airflow"),
    [(options.TaskOptions, BaseOperator), (sensor_options.CompletionOptions, BaseSensorOperator)],
)
def test_every_parameter_of_airflow_can_be_given(typed_dict: Any, airflow: type) -> None:
    assert airflow_parameters(airflow) - set(typed_dict.__annotations__) <= NOT_OURS_TO_TAKE


def test_airflows_own_parameters_reach_the_task() -> None:
    """mypy checks this call, too."""
    task = ispring.ISpringCoursesOperator(
        task_id="t",
        doc="Which courses there are.",
        pre_execute=lambda context: None,
        post_execute=lambda context, result: None,
        resources={"cpus": 2},
        retry_exponential_backoff=True,
        logger_name="courses",
        ignore_first_depends_on_past=True,
        wait_for_past_depends_before_skipping=True,
        allow_nested_operators=False,
        multiple_outputs=False,
    )
    assert (task.doc, task.ignore_first_depends_on_past) == ("Which courses there are.", True)


@pytest.mark.parametrize("kind", [*OPERATORS, AnyListing, *SENSORS])
def test_every_parameter_is_described(kind: type) -> None:
    described = re.findall(r":param (\w+):", inspect.getdoc(kind) or "")
    assert set(described) == own_parameters(kind)


@pytest.mark.parametrize("kind", [*NAMED, *ANY, *SENSORS])
def test_whatever_an_author_imports_shows_an_example(kind: type) -> None:
    assert f"{kind.__name__}(" in (inspect.getdoc(kind) or "").partition("Example::")[2]


@pytest.mark.parametrize("kind", NAMED)
def test_an_operator_takes_every_filter_of_its_listing(kind: Any) -> None:
    listing = kind(task_id="t", **{name: "1" for name in REQUIRED if name in all_parameters(kind)}).declaration()
    assert listing in (*ISPRING.values(), *ZOHO.values())
    plural = {"learner_id": "learner_ids", "entity_type": "entity_types", "course_id": "course_ids"}
    left_out = {"progress_type"}  # of one learner in one course, which nobody extracts
    left_out |= set(listing.parent.ids if listing.parent is not None else ())  # all parents are read
    parameters = all_parameters(kind)
    for each in (*listing.path_ids, *listing.filters):
        if isinstance(each, DateRangeFilter):
            assert {f"{each.name}_start", f"{each.name}_end"} <= parameters
        elif each.name not in left_out:
            assert {each.name, plural.get(each.name, each.name)} & parameters, each.name


@pytest.mark.parametrize("kind", [*NAMED, *ANY, *SENSORS])
def test_data_parameters_and_connections_are_templated(kind: Any) -> None:
    fixed = {"part_bytes", "part_seconds", "if_exists", "max_xcom_records", "max_pages", "max_wait", "deferrable"}
    fixed |= {"schema_contract", "poke_interval", "parallel_requests", "download", "partition_by", "partition_column"}
    assert set(kind.template_fields) == all_parameters(kind) - fixed


_NOT_IN_THE_QUERY = {
    (zoho_people.ZohoPeopleEntityProgressOperator, "previous"),
    (zoho_people.ZohoPeopleEntityProgressOperator, "full_crawl_every"),
}
"""They say which learners are read again, and not what the dataset holds."""


@pytest.mark.parametrize("kind", NAMED)
def test_every_data_parameter_changes_the_query(kind: Any) -> None:
    """The manifest and the checkpoint go by it: a retry must not resume another query."""
    required = {name: value for name, value in REQUIRED.items() if name in all_parameters(kind)}
    query = kind(task_id="t", **required).query()
    connections = {"ispring_learn_conn_id", "zoho_people_conn_id"}
    for name in all_parameters(kind) - all_parameters(LmsExtractOperator) - connections:
        if (kind, name) not in _NOT_IN_THE_QUERY:
            assert kind(task_id="t", **{**required, name: "7"}).query() != query, name


@pytest.mark.parametrize("kind", [*NAMED, *SENSORS])
def test_init_keeps_templates_as_they_are(kind: Any) -> None:
    templates = {name: f"{{{{ params.{name} }}}}" for name in kind.template_fields}
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        task = kind(task_id="t", **templates)
    assert {name: getattr(task, name) for name in templates} == templates


def test_default_args_reach_parameters_of_every_parent() -> None:
    defaults = {
        "output_format": "csv",
        "ispring_learn_conn_id": "mine",
        "user_ids": ["u"],
        "retries": 7,
        "max_pages": 3,
    }
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=defaults):
        task = ispring.ISpringModuleResultsOperator(task_id="t", course_ids=["c"])
    assert (task.output_format, task.ispring_learn_conn_id, task.user_ids) == ("csv", "mine", ["u"])
    assert (task.retries, task.max_pages, task.course_ids) == (7, 3, ["c"])


def test_parameters_of_every_parent_can_be_mapped_and_unknown_ones_cannot() -> None:
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        mapped = ispring.ISpringModuleResultsOperator.partial(
            task_id="t", output_path="/x", ispring_learn_conn_id="mine", user_statuses=[1], module_ids=["m"]
        ).expand(course_ids=["a", "b"])
        assert mapped.partial_kwargs["output_path"] == "/x"
        with pytest.raises(TypeError, match="corse_ids"):
            ispring.ISpringModuleResultsOperator.partial(task_id="u", corse_ids=["a"])
    with pytest.raises((TypeError, AirflowException), match="corse_ids"):
        ispring.ISpringModuleResultsOperator(task_id="v", corse_ids=["a"])  # type: ignore[call-arg]
