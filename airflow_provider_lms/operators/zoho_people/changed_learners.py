"""Reads the learners of a course who have changed since an earlier dataset, and carries over the rows of the others."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence, Set
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_lms import clock
from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.splits import Split, Splitter, Step, steps
from airflow_provider_lms.lms.zoho_people.listings.progress import EntityProgress
from airflow_provider_lms.storage.states import Previous, State
from airflow_provider_lms.tables.columns import Columns, RowType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_lms.lms.listing.records import Record
    from airflow_provider_lms.lms.zoho_people import ZohoPeopleClient
    from airflow_provider_lms.lms.zoho_people.crawl import Enrolled, EntityProgressCrawl
    from airflow_provider_lms.operators.split_listing import SplitReader
    from airflow_provider_lms.storage.dataset import Description

_CARRIED = "carried"
"""The only key of the split with the rows that are carried over. Keys of learners have a slash."""
_STATE = "="
"""Between a learner and their state in the key of a split. So a retry knows the state before the learner was read."""
_ROWS = 10_000


def check_columns(record: type[Record]) -> None:
    """Refuse a choice of columns with which no row can be carried over.

    :param record: the type of the records as they are written.
    :raises ValueError: a column is missing.
    """
    types = {column.attribute: column.type for column in Columns(record).declared}
    if not {"learner_id", "batch_id"} <= types.keys() or types.get("read_at") != "timestamp":
        raise ValueError(
            "columns, drop_columns, hash_columns: with previous, keep learnerId, batchId and readAt. They tell whose "
            "rows are carried over, and how old these are. learnerId and batchId may be hashed."
        )


class Plan(NamedTuple):
    """Which learners are read. Those who are in neither group are carried over.

    :param changed: the keys of those whose state is another than before, and of those who are new.
    :param due: the keys of others whose turn it is to be read again.
    """

    changed: Set[str]
    due: Set[str]

    @classmethod
    def make(
        cls, enrolled: Sequence[Enrolled], before: Mapping[str, State], since: timedelta, full_crawl_every: timedelta
    ) -> Plan:
        """Decide who is read.

        In each run it is the turn of those who were not read for the longest time: of such a share of all learners as
        the time since the last run is of ``full_crawl_every``. So nobody waits longer than that, by more than one run,
        and no run reads everybody unless the last one is that long ago.

        :param enrolled: the learners now.
        :param before: the states in the earlier dataset, by key.
        :param since: how long ago that was written.
        """
        share = max(since / full_crawl_every, 0.0)
        longest_ago = sorted((before[each.key].read_at, each.key) for each in enrolled if each.key in before)[
            : math.ceil(min(share, 1.0) * len(enrolled))
        ]
        changed = {each.key for each in enrolled if each.key not in before or before[each.key].state != each.state}
        return cls(changed, {key for _, key in longest_ago} - changed)


class ChangedLearners:
    """Where the pages of a dataset come from. See :class:`~airflow_provider_lms.storage.source.Source`.

    Whether a learner has changed is told by their progress in the whole course, which is read before their details. So
    a change that comes in between is found by the next run.

    The rows that are carried over are written last, and in one go. So each attempt decides anew who is carried over:
    everybody whom no attempt has read.

    :param crawl: the crawl over the course, with states.
    :param reader: reads learners.
    :param description: the dataset that is written.
    :param previous: the earlier dataset; None if there is none to carry rows over from.
    :param full_crawl_every: after how long each learner is read, changed or not.
    """

    def __init__(
        self,
        crawl: EntityProgressCrawl,
        reader: SplitReader,
        description: Description,
        previous: Previous | None,
        full_crawl_every: timedelta,
    ) -> None:
        self._crawl = crawl
        self._reader = reader
        self._description = description
        self._previous = previous
        self._full_crawl_every = full_crawl_every
        self._carried: list[Enrolled] = []

    def split(self, known: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        planned = {key.partition(_STATE)[0] for keys in known for key in keys}
        enrolled = [each for each in self._crawl.enrolled if each.key not in planned]
        before: Mapping[str, State] = {}
        since = timedelta()
        if self._previous is not None:
            before = self._previous.states
            since = clock.utcnow() - self._previous.manifest.started_at
        # A retry takes no further turns: the first attempt has taken those of this run.
        plan = Plan.make(enrolled, before, timedelta() if known else since, self._full_crawl_every)
        read = [each for each in enrolled if each.key in plan.changed | plan.due]
        self._carried = [each for each in enrolled if each.key not in plan.changed | plan.due]
        if not known:
            self._log_cost(plan)
        keys = [f"{each.key}{_STATE}{each.state}" for each in read]
        return [*self._reader.divide(keys), *([] if known else [[_CARRIED]])]

    def read(self, splits: Sequence[Split]) -> Generator[Step[Any]]:
        learners = [
            split._replace(keys=[key.partition(_STATE)[0] for key in split.keys])
            for split in splits
            if split.keys != [_CARRIED]
        ]
        splitter: Splitter[ZohoPeopleClient, EntityProgress] = Splitter(list, self._crawl.read_enrolled)
        if learners:
            yield from self._reader.read(splitter, learners)
        for split in splits:
            if split.keys == [_CARRIED]:
                yield from steps(split, lambda _: self._crawl.mark(self._carried_pages()))

    def states(self, splits: Sequence[Sequence[str]], started_at: datetime) -> Sequence[State]:
        read = [key.split(_STATE) for keys in splits for key in keys if key != _CARRIED]
        found = [State(key=key, state=state, read_at=started_at) for key, state in read]
        if self._previous is not None:
            found += [self._previous.states[each.key] for each in self._carried]
        return found

    def _log_cost(self, plan: Plan) -> None:
        if self._previous is None:
            self._crawl.log_cost()
        else:
            self._crawl.log_saving(len(plan.changed), len(plan.due))

    def _carried_pages(self) -> Iterator[Page[Any]]:
        if self._previous is None or not self._carried:
            return
        schema, columns = self._previous.manifest.schema, Columns(self._description.record)
        batch, learner = columns.name_of("batch_id"), columns.name_of("learner_id")
        wanted = self._as_written(self._carried)
        rows = (row for row in self._previous.rows() if (row.get(batch), row[learner]) in wanted)
        attributes = {column.name: column.attribute for column in columns.declared}
        kind = RowType(self._description.resource, schema, attributes)
        new_fields = frozenset(self._previous.manifest.new_fields)
        while some := list(islice(rows, _ROWS)):
            yield Page(kind.records(some), 1, None, new_fields=new_fields, record=kind.record, carried=True)

    def _as_written(self, enrolled: Sequence[Enrolled]) -> Set[tuple[str | None, str]]:
        """Batch and learner as they stand in rows, where they may be hashed."""
        samples = [
            EntityProgress(
                course_id="-", batch_id=each.batch_id, learner_id=each.learner_id, entity_type=0, entity_type_name="-"
            )
            for each in enrolled
        ]
        return {(row.batch_id, row.learner_id) for row in self._reader.convert(Page(samples, 1, None)).records}
