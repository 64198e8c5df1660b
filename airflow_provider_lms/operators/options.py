"""The parameters that operators have in common, as types: an IDE completes them, and mypy checks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias, TypedDict

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_lms.storage.partitions import Grain

OutputFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]
IfExists: TypeAlias = Literal["replace", "fail"]
SchemaContract: TypeAlias = Literal["evolve", "freeze"]
Names: TypeAlias = Sequence[str] | str | None


class TaskOptions(TypedDict, total=False):
    """Airflow's own parameters. See Airflow's ``BaseOperator``.

    ``render_template_as_native_obj`` and ``retry_policy`` are not in every supported version; an Airflow without them
    rejects them when it parses the DAG. ``sla`` and ``task_concurrency`` are left out: Airflow 3 has removed them.
    """

    task_id: Required[str]
    allow_nested_operators: bool
    dag: Any
    default_args: dict[str, Any] | None
    depends_on_past: bool
    do_xcom_push: bool
    doc: str | None
    doc_json: str | None
    doc_md: str | None
    doc_rst: str | None
    doc_yaml: str | None
    email: str | Sequence[str] | None
    email_on_failure: bool
    email_on_retry: bool
    end_date: datetime | None
    execution_timeout: timedelta | None
    executor: str | None
    executor_config: dict[str, Any] | None
    ignore_first_depends_on_past: bool
    inlets: Any
    logger_name: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    max_retry_delay: timedelta | float | None
    multiple_outputs: bool
    on_execute_callback: Any
    on_failure_callback: Any
    on_retry_callback: Any
    on_skipped_callback: Any
    on_success_callback: Any
    outlets: Any
    owner: str
    params: Any
    pool: str | None
    pool_slots: int
    post_execute: Callable[[Context, Any], None] | None
    pre_execute: Callable[[Context], None] | None
    priority_weight: int
    queue: str
    render_template_as_native_obj: bool | None
    resources: dict[str, Any] | None
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    retry_policy: Any
    run_as_user: str | None
    start_date: datetime | None
    task_display_name: str | None
    task_group: Any
    trigger_rule: str
    wait_for_downstream: bool
    wait_for_past_depends_before_skipping: bool
    weight_rule: Any


class ExtractOptions(TaskOptions, total=False):
    """The parameters of every extracting operator.

    They are described at :class:`~airflow_provider_lms.operators.base.LmsExtractOperator`.
    """

    output_path: str | ObjectStoragePath | None
    output_format: OutputFormat
    compression: Compression | None
    part_bytes: int
    part_seconds: float
    if_exists: IfExists
    columns: Names
    drop_columns: Names
    hash_columns: Names
    schema_contract: SchemaContract
    max_xcom_records: int
    max_pages: int | None
    parallel_requests: int
    max_wait: float
    deferrable: bool
    partition_by: Grain | None
    partition_column: str | None
    compare_to: str | ObjectStoragePath | None
    max_partitions: int | str
