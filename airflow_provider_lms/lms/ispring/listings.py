"""Reading iSpring Learn's listings page by page: what is asked for, what is kept, and ids that the LMS refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, Literal, TypeAlias, TypeVar

from airflow_provider_lms.lms.documents import PageDecoder, Resource, Rows, announced
from airflow_provider_lms.lms.errors import LmsBadRequest, LmsBrokenPage
from airflow_provider_lms.lms.ispring.query import ROW_IDS, camel, key
from airflow_provider_lms.lms.ispring.records import LearnerResult
from airflow_provider_lms.lms.query import Pairs, Query
from airflow_provider_lms.lms.records import Record
from airflow_provider_lms.lms.transport import Transport

log = logging.getLogger(__name__)

OnUnknownUser: TypeAlias = Literal["fail", "skip"]
R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=LearnerResult)

_USERS = key("user_ids")


class Listing(Generic[R]):
    """Reads single pages of one listing, and keeps of each what was asked for."""

    def __init__(
        self,
        transport: Transport,
        resource: Resource[R],
        keep: Callable[[Rows[R], Query], list[R]],
        read_ahead: bool,
    ) -> None:
        self.resource = resource
        self._read_ahead = read_ahead
        self.pages = 0
        self._transport = transport
        self._keep = keep
        self._decode = PageDecoder(resource)

    def read(self, query: Query, token: str | None) -> Rows[R]:
        rows = self._fetch(query, token)
        self.pages += 1
        return replace(rows, records=self._keep(rows, query))

    def _fetch(self, query: Query, token: str | None) -> Rows[R]:
        params = query.params() if token is None else (*query.params(), ("pageToken", token))
        answer = self._transport.get(self.resource.path, params, page=self.pages + 1)
        if self._read_ahead and (following := announced(answer, self.resource.token)) is not None:
            ahead = (*query.params(), ("pageToken", following))
            self._transport.begin(self.resource.path, ahead, page=self.pages + 2)
        return self._decode(answer)


class ResultListing(Listing[S]):
    """A listing that the LMS refuses as a whole when it knows one of the user ids not."""

    def __init__(
        self,
        transport: Transport,
        resource: Resource[S],
        keep: Callable[[Rows[S], Query], list[S]],
        read_ahead: bool,
        on_unknown_user: OnUnknownUser,
        unknown: set[str],
    ) -> None:
        super().__init__(transport, resource, keep, read_ahead)
        self._skip_unknown = on_unknown_user == "skip"
        self._unknown = unknown

    def _fetch(self, query: Query, token: str | None) -> Rows[S]:
        known = self._known(query)
        if known is None:
            return Rows(self.resource.path, [], None)
        try:
            return super()._fetch(known, token)
        except LmsBadRequest as error:
            searched = len(self._unknown)
            for user in self._search(known):
                if not self._skip_unknown:
                    raise LmsBadRequest(
                        f"GET {self.resource.path}: user_ids: the LMS does not know {user!r}. "
                        "Take it out, or set on_unknown_user='skip'.",
                        error.status,
                    ) from None
                self._unknown.add(user)
            if len(self._unknown) == searched:
                raise
        log.warning("user_ids: skipping %s, which the LMS does not know.", ", ".join(sorted(self._unknown)))
        return self._fetch(query, token)

    def _known(self, query: Query) -> Query | None:
        """The query without unknown users; None where nobody is left to ask for."""
        users = query.ids.get(_USERS)
        if not users or not self._unknown:
            return query
        known = tuple(user for user in users if user not in self._unknown)
        return query.asking(_USERS, known) if known else None

    def _search(self, query: Query) -> Iterator[str]:
        """Halve the users until those remain that are refused alone; none where something else is refused."""
        users = query.ids.get(_USERS, ())
        if not users or not self._refused(query, users) or self._refused(query, ()):
            return
        suspects: list[tuple[str, ...]] = [users]
        while suspects:
            refused = suspects.pop()
            if len(refused) == 1:
                yield refused[0]
                continue
            half = len(refused) // 2
            suspects += [part for part in (refused[half:], refused[:half]) if self._refused(query, part)]

    def _refused(self, query: Query, users: tuple[str, ...]) -> bool:
        probe = replace(query.asking(_USERS, users), fixed=_one_row(query.fixed))
        try:
            self._transport.get(self.resource.path, probe.params())
        except LmsBadRequest:
            return True
        return False


class AskedFor:
    """Holds the rows of a page against the filters: the LMS may have ignored one."""

    def __init__(self, query: Query) -> None:
        self._statuses = {value for name, value in query.fixed if name == key("completion_statuses")}
        self._warned = False

    def __call__(self, rows: Rows[S], query: Query) -> list[S]:
        for name, attribute in ROW_IDS.items():
            asked = {item.casefold() for item in query.ids.get(key(name), ())}
            if asked and any((getattr(row, attribute) or "").casefold() not in asked for row in rows.records):
                raise LmsBrokenPage(
                    f"{rows.call}: a row has a {camel(attribute)} that {name} did not ask for, so the LMS ignored the "
                    "filter. Nothing of this page was kept. Read without this filter, or ask the vendor."
                )
        if not self._statuses:
            return rows.records
        kept = [row for row in rows.records if row.completion_status in self._statuses]
        if len(kept) < len(rows.records) and not self._warned:
            log.warning("%s: the LMS ignored completion_statuses; other rows are dropped here.", rows.call)
            self._warned = True
        return kept


def _one_row(fixed: Pairs) -> Pairs:
    return (*(pair for pair in fixed if pair[0] != "pageSize"), ("pageSize", "1"))
