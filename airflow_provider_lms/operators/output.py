"""The parameters about a task's dataset, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from airflow_provider_lms.lms.parameters import parse_choice, parse_float, parse_int
from airflow_provider_lms.operators.options import IfExists
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.formats import Format
from airflow_provider_lms.storage.partitions import EarlierDataset, Grain, PartitionedBy
from airflow_provider_lms.storage.parts import PartOptions
from airflow_provider_lms.tables.columns import Columns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_lms.operators.base import LmsExtractOperator
    from airflow_provider_lms.storage.dataset import Description
    from airflow_provider_lms.storage.manifest import TaskInstanceKey


def part_options(task: LmsExtractOperator) -> PartOptions:  # type: ignore[type-arg]
    """How the dataset is to be written.

    :raises ValueError: a parameter is invalid.
    """
    parse_choice("if_exists", task.if_exists, get_args(IfExists))
    return PartOptions(
        Format.chosen(task.output_format, task.compression),
        parse_int("part_bytes", task.part_bytes),
        parse_float("part_seconds", task.part_seconds, 1),
    )


def earlier_dataset(task: LmsExtractOperator, context: Context) -> EarlierDataset | None:  # type: ignore[type-arg]
    """What the partitions of a task's dataset are compared with; None if it has no partitions.

    :param context: the task's.
    :raises ValueError: a parameter is invalid, or is given where it means nothing; it is named.
    """
    if task.partition_by is None:
        for name, given in (("partition_column", task.partition_column), ("compare_to", task.compare_to)):
            if given is not None:
                raise ValueError(f"{name}: give partition_by as well, 'day' or 'month'.")
        return None
    parse_choice("partition_by", task.partition_by, get_args(Grain))
    if task.output_path is None:
        raise ValueError("partition_by: give an output_path as well, for the dataset whose partitions are compared.")
    if task.max_pages is not None:
        raise ValueError("partition_by: leave out max_pages. A dataset that it cuts short lacks rows of partitions.")
    directory = None if task.compare_to is None else folder("compare_to", task.compare_to)
    limit = parse_int("max_partitions", task.max_partitions)
    return EarlierDataset(directory, limit, lambda run: _has_succeeded(context, run))


def _has_succeeded(context: Context, run: TaskInstanceKey) -> bool:
    """Whether an earlier task instance has succeeded, as far as Airflow tells it: Airflow 2 does not."""
    find = getattr(context.get("ti"), "get_task_states", None)
    if find is None or run.dag_id is None:
        return True
    states = find(dag_id=run.dag_id, map_index=run.map_index, task_ids=[run.task_id], run_ids=[run.run_id])
    found = [state for tasks in states.values() for state in tasks.values()]
    # A run that was deleted is not known to have succeeded. Computing a day once more does no harm.
    return "success" in found


def partitioned_by(task: LmsExtractOperator, description: Description) -> PartitionedBy | None:  # type: ignore[type-arg]
    """What the partitions of a task's dataset are; None if it has none.

    :param description: the dataset.
    :raises ValueError: it has no such column, or none that holds dates.
    """
    if task.partition_by is None:
        return None
    columns = Columns(description.record)
    column = task.partition_column
    dates = [each.name for each in columns.declared if each.type == "timestamp"]
    if not dates:
        raise ValueError(f"partition_by: the dataset of {description.resource} has no column with dates.")
    if column is None:
        if description.watermark is None:
            raise ValueError(
                f"partition_by: the dataset of {description.resource} has no date that tells new records from old "
                f"ones, or it was left out. Name a column in partition_column: {', '.join(dates)}."
            )
        column = columns.name_of(description.watermark)
    return PartitionedBy(column=parse_choice("partition_column", column, dates), grain=task.partition_by)
