"""What all extracting operators share: where records go, and the checks before the first request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, get_args

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_lms.killing import Killable
from airflow_provider_lms.links.base import no_links_if_it_fails
from airflow_provider_lms.links.dataset import DatasetLink, console_url
from airflow_provider_lms.operators.lineage import ReadListing, ReportsLineage, TaskLineage
from airflow_provider_lms.operators.options import (
    Compression,
    IfExists,
    Names,
    OutputFormat,
    SchemaContract,
    TaskOptions,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context, ObjectStoragePath

    from airflow_provider_lms.hooks.base import ClientOptions
    from airflow_provider_lms.lms.client import LmsClient
    from airflow_provider_lms.lms.listing.page import Page
    from airflow_provider_lms.lms.listing.projection import ColumnChoice, Projection
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.operators.waiting import Waiting
    from airflow_provider_lms.storage.attachments import Attachments
    from airflow_provider_lms.storage.dataset import Description
    from airflow_provider_lms.storage.partitions import EarlierDataset, Grain
    from airflow_provider_lms.storage.parts import PartOptions
    from airflow_provider_lms.storage.source import Source

C = TypeVar("C", bound="LmsClient")


class LmsExtractOperator(Killable, ReportsLineage, BaseOperator, Generic[C]):
    """Base of the operators that read one listing of an LMS.

    :param output_path: the folder of the dataset: a path, a URL (``s3://conn_id@bucket/folder``) or an
        ``ObjectStoragePath`` (templated). None returns the records themselves. A mapped task needs a folder for each
        map index.
    :param output_format: ``jsonl``, ``csv`` or ``parquet`` (with the extra ``parquet``; templated).
    :param compression: ``none``, ``gzip`` or ``zstd`` (with the extra ``zstd``, unless for Parquet; templated). None is
        the format's default: zstd for Parquet, none for the others.
    :param part_bytes: size in bytes at which a part file is closed.
    :param part_seconds: age in seconds at which a part file is closed.
    :param if_exists: ``replace`` replaces a dataset in the folder once the new one is complete; ``fail`` refuses to,
        before the first request.
    :param columns: the columns to keep, such as ``["userId", "courseId", "progress"]``, or ``fields.EMAIL`` for one
        value of the object in a column (templated). None keeps all. With this parameter or one of the next two,
        ``_extra`` is left out unless ``columns`` names it.
    :param drop_columns: the columns to leave out (templated).
    :param hash_columns: the columns to hash with the connection's ``hash_secret``, so that they can be joined but not
        read (templated).
    :param schema_contract: ``evolve`` keeps fields that this version does not declare in ``_extra`` and reports their
        names; ``freeze`` fails the task and names them.
    :param max_xcom_records: how many records may be returned without ``output_path``. With more the task fails.
    :param max_pages: how many pages to read, for a trial run; None reads all.
    :param parallel_requests: with an ``output_path``, how many requests may be in flight, for a listing that can be
        split: by the ids of a filter, by the parents of its records, or by learners. 1 reads page after page. Never
        more than the connection's ``parallel_requests``. It begins with one, and adapts to what the LMS serves well.
    :param max_wait: seconds that one request may wait for a rate limit before the task fails with ``LmsRateLimited``.
        With ``deferrable``, how long an outage may last.
    :param deferrable: with an ``output_path``, give the worker slot back for each wait of half a minute or more: for
        the rate limit, a lock, the limit of the day, or the end of an outage. The task reserves requests, and comes
        back for them. The part so far is closed, and the task resumes from there.
        ``execution_timeout`` starts again at each resume. The default is Airflow's ``[operators] default_deferrable``.
    :param partition_by: with an ``output_path``, ``day`` or ``month`` compares the rows of each day or month with those
        of the dataset before. The events of outlet assets get those that differ as partitions (Airflow 3.3 and newer),
        so that downstream DAGs run for them alone.
    :param partition_column: the column with the date, in UTC; None is that of the watermark, such as
        ``completionDate``. Rows without a date belong to no partition.
    :param compare_to: the folder of the dataset to compare with (templated); None is the one in ``output_path``.
    :param max_partitions: how many partitions may have changed (templated). With more the task fails, and the dataset
        before is kept.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (DatasetLink(),)
    template_fields: Sequence[str] = (
        "output_path",
        "output_format",
        "compression",
        "columns",
        "drop_columns",
        "hash_columns",
        "compare_to",
        "max_partitions",
    )

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath | None = None,
        output_format: OutputFormat = "jsonl",
        compression: Compression | None = None,
        part_bytes: int = 128_000_000,
        part_seconds: float = 300.0,
        if_exists: IfExists = "replace",
        columns: Names = None,
        drop_columns: Names = None,
        hash_columns: Names = None,
        schema_contract: SchemaContract = "evolve",
        max_xcom_records: int = 1_000,
        max_pages: int | None = None,
        parallel_requests: int = 1,
        max_wait: float = 900.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        partition_by: Grain | None = None,
        partition_column: str | None = None,
        compare_to: str | ObjectStoragePath | None = None,
        max_partitions: int | str = 31,
        **task: Unpack[TaskOptions],
    ) -> None:
        super().__init__(**task)
        self.output_path = output_path
        self.output_format = output_format
        self.compression = compression
        self.part_bytes = part_bytes
        self.part_seconds = part_seconds
        self.if_exists = if_exists
        self.columns = columns
        self.drop_columns = drop_columns
        self.hash_columns = hash_columns
        self.schema_contract = schema_contract
        self.max_xcom_records = max_xcom_records
        self.max_pages = max_pages
        self.parallel_requests = parallel_requests
        self.max_wait = max_wait
        self.deferrable = deferrable
        self.partition_by = partition_by
        self.partition_column = partition_column
        self.compare_to = compare_to
        self.max_partitions = max_partitions
        self.lineage = TaskLineage()

    @abstractmethod
    def connect(self, options: ClientOptions) -> C:
        """A client of the LMS.

        :param options: how it is used.
        """

    @abstractmethod
    def declaration(self) -> Listing[Any]:
        """The declaration of the listing."""

    @abstractmethod
    def query(self) -> Mapping[str, object]:
        """The parameters of the listing as rendered. They go into the manifest; none may be a secret."""

    @abstractmethod
    def read(self, client: C, start: str | None) -> Iterable[Page[Any]]:
        """Read the listing with the parameters as rendered.

        Nothing is sent before the first page is asked for. A
        :class:`~airflow_provider_lms.lms.listing.splits.Reading` may be split.

        :param start: the continuation of an earlier attempt; None is the beginning.
        """

    def check_parameters(self) -> None:
        """Refuse what is wrong with parameters that only this operator has.

        :raises ValueError: a parameter is invalid.
        """

    def column_choice(self) -> ColumnChoice | None:
        """The columns that are asked for; None keeps all.

        :raises ValueError: a parameter is invalid.
        """
        from airflow_provider_lms.lms.listing.projection import ColumnChoice

        return ColumnChoice.parse(self.columns, self.drop_columns, self.hash_columns)

    def attachments(self, directory: ObjectStoragePath) -> Attachments | None:  # noqa: ARG002
        """What writes the files that records name into the dataset's folder; None if they name none.

        :param directory: the dataset's folder.
        """
        return None

    def attach(self, client: C, page: Page[Any], attachments: Attachments) -> None:
        """Write the files that the records of a page name."""

    def push_link(self, client: C, context: Context) -> None:
        """Let the UI lead to what was read, if the LMS tells its address.

        :param context: the task's.
        """

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any]:
        """Read the listing.

        :return: without ``output_path`` the records as plain dicts; otherwise the dataset's summary: ``uri``,
            ``manifest``, ``files`` (each with ``uri``, ``records``, ``bytes``, ``sha256``), ``records``, ``pages``,
            ``format``, ``resource``, ``watermark``, ``complete``, ``consistent``, ``new_fields``, ``carried``,
            ``schema_version``, ``changed_partitions`` (None without ``partition_by``), ``started_at``, ``finished_at``.
        :raises ValueError: a parameter is invalid; it is named.
        :raises DatasetConflict: the folder holds a dataset that must not be replaced. Or other tasks have committed to
            it twice while this task was writing; their dataset is kept.
        :raises LmsError: reading failed. The dataset before is kept, and a retry resumes where this attempt stopped.
        :raises AirflowFailException: the LMS refused a call in its own error format, and the task has no
            ``retry_policy``. ``__cause__`` is the :class:`LmsError`.
        """
        from airflow_provider_lms.operators.waiting import Waiting

        with no_links_if_it_fails(self.operator_extra_links, context):
            return self._execute(context, Waiting())

    def execute_after_wait(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002
        *,
        waiting: Mapping[str, Any],
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """Resume after the task has given its worker slot back. The checkpoint says where."""
        from airflow_provider_lms.operators.waiting import Waiting

        with no_links_if_it_fails(self.operator_extra_links, context):
            return self._execute(context, Waiting.of(waiting))

    def _execute(self, context: Context, waiting: Waiting) -> list[dict[str, Any]] | dict[str, Any]:
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_lms.failures import fail_if_refused
        from airflow_provider_lms.hooks.base import ClientOptions
        from airflow_provider_lms.lms.errors import LmsError
        from airflow_provider_lms.lms.http.rate_limit import CoordinationError
        from airflow_provider_lms.lms.http.retry import RetryPolicy
        from airflow_provider_lms.lms.listing.projection import Projection
        from airflow_provider_lms.lms.parameters import parse_choice, parse_float, parse_int
        from airflow_provider_lms.operators.output import earlier_dataset, part_options
        from airflow_provider_lms.operators.waiting import give_slot_back
        from airflow_provider_lms.storage.partitions import TooManyPartitions

        self._keep_iterators()
        self.check_parameters()
        max_pages = None if self.max_pages is None else parse_int("max_pages", self.max_pages)
        max_records = parse_int("max_xcom_records", self.max_xcom_records, minimum=0)
        self.parallel_requests = parse_int("parallel_requests", self.parallel_requests)
        max_wait = parse_float("max_wait", self.max_wait, 0)
        parts = part_options(self)
        earlier = earlier_dataset(self, context)
        choice = self.column_choice()
        parse_choice("schema_contract", self.schema_contract, get_args(SchemaContract))
        can_defer = self.deferrable and self.output_path is not None and "ti" in context
        options = ClientOptions(retry=RetryPolicy(max_wait=max_wait), on_read=self.lineage.add)
        if can_defer:
            options = replace(options, retry=waiting.retry_policy(max_wait), reservation=waiting.reservation)
        with closing(self.connect(options)) as client, self._killable():
            waiting.report(client.observer)
            try:
                listing = self.declaration()
                projection = (
                    choice if choice is None else Projection(listing.name, listing.record, choice, client.hash_secret)
                )
                read = ReadListing(client.asset_uri(listing.name), listing, projection)
                self.lineage.result = read
                result: list[dict[str, Any]] | dict[str, Any]
                if self.output_path is None:
                    from airflow_provider_lms.storage.xcom import collect

                    pages = map(self._conversion(client, projection), self.read(client, None))
                    result = collect(islice(pages, max_pages), max_records)
                    client.observer.records_written(listing.name, len(result), 0)
                    self.lineage.result = replace(read, records=len(result))
                    DatasetLink.push(context, lambda: None)
                    self.log.info("Read %s records of %s.", f"{len(result):,}", listing.name)
                else:
                    client.prefetch = max_pages is None
                    result = self._write(client, parts, projection, max_pages, earlier, context)
                    self.lineage.result = replace(read, records=result["records"] - result["carried"], summary=result)
                self.push_link(client, context)
                return result
            except TooManyPartitions as error:
                raise AirflowFailException(str(error)) from error  # a retry would find as many
            except (LmsError, CoordinationError) as error:
                if can_defer and error.transient:
                    give_slot_back(self, client, error, waiting, max_wait)
                elif isinstance(error, LmsError):
                    fail_if_refused(self, error)
                raise

    def _keep_iterators(self) -> None:
        """Turn iterators into lists, since the manifest, the log and the request all go through a parameter."""
        for name in self.template_fields:
            value = getattr(self, name)
            if isinstance(value, Iterator):
                setattr(self, name, list(value))

    def _conversion(
        self, client: C, projection: Projection | None, attachments: Attachments | None = None
    ) -> Callable[[Page[Any]], Page[Any]]:
        """What makes of a page what goes into the result."""
        from airflow_provider_lms.lms.listing.drift import refuse_new_fields

        name, freezes = self.declaration().name, self.schema_contract == "freeze"

        def convert(page: Page[Any]) -> Page[Any]:
            if freezes:
                refuse_new_fields(name, page)
            if attachments is not None:
                self.attach(client, page, attachments)
            return page if projection is None else projection.apply(page)

        return convert

    def source(
        self,
        client: C,
        description: Description,  # noqa: ARG002
        convert: Callable[[Page[Any]], Page[Any]],
        max_pages: int | None,
    ) -> Source:
        """Where the dataset's pages come from: the whole listing, or its splits.

        :param description: the dataset.
        :param convert: makes of a page what the dataset is to hold.
        """
        from airflow_provider_lms.lms.listing.splits import Reading
        from airflow_provider_lms.operators.split_listing import REJECTED, SplitListing, SplitReader
        from airflow_provider_lms.storage.source import WholeListing

        def pages(start: str | None, before: int) -> Iterator[Page[Any]]:
            left = None if max_pages is None else max(max_pages - before, 0)
            return islice(map(convert, self.read(client, start)), left)

        reading = self.read(client, None)  # sends nothing
        if max_pages is not None or not isinstance(reading, Reading) or reading.splitter is None:
            return WholeListing(pages, REJECTED)
        return SplitListing(pages, reading.splitter, SplitReader(client, self.parallel_requests, convert))

    def _write(
        self,
        client: C,
        parts: PartOptions,
        projection: Projection | None,
        max_pages: int | None,
        earlier: EarlierDataset | None,
        context: Context,
    ) -> dict[str, Any]:
        from airflow_provider_lms.operators.outlets import update_outlets
        from airflow_provider_lms.operators.output import partitioned_by
        from airflow_provider_lms.storage.dataset import Dataset
        from airflow_provider_lms.storage.files import folder
        from airflow_provider_lms.storage.manifest import TaskInstanceKey

        directory = folder("output_path", self.output_path)
        attachments = self.attachments(directory)
        dataset = Dataset(directory, TaskInstanceKey.of(context), self.if_exists)
        summary = dataset.committed_summary()
        if summary is not None:
            self.log.info("An earlier attempt of this task instance has already written the dataset.")
        else:
            description = self.description(client, projection)
            description = replace(description, partitioned_by=partitioned_by(self, description))
            source = self.source(client, description, self._conversion(client, projection, attachments), max_pages)
            try:
                summary = dataset.write(source, description, parts, attachments, earlier)
            finally:
                client.observer.pages_reread("lost", dataset.lost_pages)
            size = sum(file["bytes"] for file in summary["files"])
            client.observer.records_written(description.resource, summary["records"], size)
        update_outlets(self.outlets, context, summary)
        DatasetLink.push(context, lambda: console_url(directory))
        return summary

    def description(self, client: C, projection: Projection | None) -> Description:
        """What the dataset holds and where it comes from.

        :param projection: what is done to its columns, if anything is.
        """
        from airflow_provider_lms.operators.description import describe

        return describe(client, self.declaration(), self.query(), projection)
