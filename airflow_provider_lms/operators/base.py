"""What every extracting operator shares: where records go, and the checks before the first request."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from msgspec import Struct

    from airflow_provider_lms.hooks.base import Client
    from airflow_provider_lms.lms.errors import LmsRateLimited
    from airflow_provider_lms.lms.paging import Page
    from airflow_provider_lms.storage.parts import Parts


_LONG_LOCK = 60.0


class LmsExtractOperator(BaseOperator):
    """Base of the operators that read one listing of an LMS.

    :param output_path: the folder of the dataset, as a path, a URL (``s3://conn_id@bucket/folder``) or an
        ``ObjectStoragePath`` (templated); None returns the records themselves. A mapped task needs a folder for each
        map index.
    :param output_format: ``jsonl``, ``csv`` or ``parquet`` (with the extra ``parquet``; templated).
    :param compression: ``none``, ``gzip`` or ``zstd`` (with the extra ``zstd``, unless for Parquet); None is the
        format's default, which is zstd for Parquet and none for the others (templated).
    :param part_bytes: size in bytes at which a part file is closed.
    :param part_seconds: age in seconds at which a part file is closed.
    :param if_exists: ``replace`` swaps a dataset in the folder for the new one when that is complete; ``fail`` refuses
        to, before the first request.
    :param max_xcom_records: how many records may be returned without ``output_path``; the task fails if there are more.
    :param max_pages: how many pages to read, for a trial run; None reads all.
    :param max_wait: seconds that one request may wait for a rate limit before it raises ``LmsRateLimited``.
    :param deferrable: with an ``output_path``, give the worker slot back while the LMS has locked the account or asks
        to wait, for a minute or more: the part so far is closed, and the task goes on from there. ``execution_timeout``
        begins anew each time.
    """

    resource_name: ClassVar[str]
    template_fields: Sequence[str] = ("output_path", "output_format", "compression")

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath | None = None,
        output_format: str = "jsonl",
        compression: str | None = None,
        part_bytes: int = 128_000_000,
        part_seconds: float = 300.0,
        if_exists: str = "replace",
        max_xcom_records: int = 1_000,
        max_pages: int | None = None,
        max_wait: float = 900.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.output_format = output_format
        self.compression = compression
        self.part_bytes = part_bytes
        self.part_seconds = part_seconds
        self.if_exists = if_exists
        self.max_xcom_records = max_xcom_records
        self.max_pages = max_pages
        self.max_wait = max_wait
        self.deferrable = deferrable

    @abstractmethod
    def connect(self, longest_lock: float | None) -> Client:
        """A client of the LMS.

        :param longest_lock: a lock that lasts so many seconds or more is raised, and not waited for.
        """

    @abstractmethod
    def query(self) -> dict[str, Any]:
        """The parameters of the listing as rendered, without those that are not set."""

    @abstractmethod
    def record(self) -> type[Struct]:
        """The type of the listing's records."""

    def read(self, client: Any, query: dict[str, Any]) -> Iterable[Page[Any]]:
        """The listing: the client's method of that name, unless a subclass reads it otherwise.

        :param client: as :meth:`connect` gave it.
        :param query: as :meth:`query` gave it, and ``start`` where an earlier try is gone on with.
        """
        pages: Iterable[Page[Any]] = getattr(client, self.resource_name)(**query)
        return pages

    def link(self, client: Any, query: Mapping[str, Any], context: Context) -> None:
        """Let the UI lead to what was read, where the LMS tells its address."""

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any]:
        """Read the listing.

        :return: without ``output_path`` the records as plain dicts; else the dataset's summary: ``uri``, ``manifest``,
            ``files`` (each with ``uri``, ``records``, ``bytes``, ``sha256``), ``records``, ``pages``, ``format``,
            ``resource``, ``latest_completion_date``, ``complete``, ``started_at``, ``finished_at``.
        :raises ValueError: a parameter cannot be meant as it is; it is named.
        :raises DatasetConflict: the folder holds a dataset that must not be replaced; or others have replaced it twice
            meanwhile, and theirs stands.
        :raises LmsError: reading failed; the dataset before stays as it is, and a retry goes on from there.
        """
        from airflow_provider_lms.lms.errors import LmsRateLimited
        from airflow_provider_lms.lms.filters import number, whole

        at_most = None if self.max_pages is None else whole("max_pages", self.max_pages)
        max_records = whole("max_xcom_records", self.max_xcom_records, minimum=0)
        number("max_wait", self.max_wait, 0)
        parts = self._parts()
        query = self.query()
        defers = self.deferrable and self.output_path is not None and "ti" in context
        client = self.connect(_LONG_LOCK if defers else None)
        try:
            found: list[dict[str, Any]] | dict[str, Any]
            if self.output_path is None:
                from airflow_provider_lms.storage.xcom import collect

                found = collect(islice(self.read(client, query), at_most), max_records)
            else:
                found = self._write(client, query, parts, at_most, context)
            self.link(client, query, context)
            return found
        except LmsRateLimited as error:
            if not defers or not error.locked or (error.retry_after or 0.0) < _LONG_LOCK:
                raise
            return self._wait_elsewhere(error)
        finally:
            client.close()

    def execute_after_lock(self, context: Context, event: Any = None) -> list[dict[str, Any]] | dict[str, Any]:  # noqa: ARG002
        """Go on where :meth:`execute` has deferred; the checkpoint says where that was."""
        return self.execute(context)

    def _write(
        self, client: Any, query: dict[str, Any], parts: Parts, at_most: int | None, context: Context
    ) -> dict[str, Any]:
        from airflow_provider_lms.lms.errors import LmsBadRequest, LmsNotFound
        from airflow_provider_lms.operators.outlets import tell
        from airflow_provider_lms.storage.dataset import Dataset, Description
        from airflow_provider_lms.storage.files import folder
        from airflow_provider_lms.storage.manifest import Run

        dataset = Dataset(folder("output_path", self.output_path), Run.of(context), self.if_exists)
        if (written := dataset.written()) is not None:
            self.log.info("This task instance has written the dataset in an earlier try.")
            tell(self.outlets, context, written)
            return written
        description = Description(self.resource_name, self.record(), client.base_url, _plain(query))

        def reading(start: str | None, before: int) -> Iterator[Page[Any]]:
            pages = self.read(client, query if start is None else {**query, "start": start})
            return islice(pages, None if at_most is None else max(at_most - before, 0))

        summary = dataset.write(reading, description, parts, (LmsBadRequest, LmsNotFound, ValueError))
        tell(self.outlets, context, summary)
        return summary

    def _wait_elsewhere(self, error: LmsRateLimited) -> NoReturn:
        from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

        # Some later than allowed, so that not all who wait for the same account come back at once.
        seconds = error.retry_after or _LONG_LOCK
        seconds += random.uniform(1.0, min(60.0, seconds / 10))  # noqa: S311
        self.log.info("%s The worker slot is given back for %.0f s.", error, seconds)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=seconds)), method_name="execute_after_lock")

    def _parts(self) -> Parts:
        """How a dataset is to be written; every parameter of it is checked."""
        from airflow_provider_lms.lms.filters import number, one_of, whole
        from airflow_provider_lms.storage.formats import Format
        from airflow_provider_lms.storage.parts import Parts

        one_of("if_exists", self.if_exists, ("replace", "fail"))
        return Parts(
            Format.chosen(self.output_format, self.compression),
            whole("part_bytes", self.part_bytes),
            number("part_seconds", self.part_seconds, 1),
        )


def _plain(value: Any) -> Any:
    """What the manifest's JSON can hold of a parameter."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
