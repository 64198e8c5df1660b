"""Reading results although the LMS does not know some of the users.

iSpring answers 400 for a whole request if it does not know one of the user ids, and does not say which one. So the ids
are halved until those are found that are rejected alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias, TypeVar

from airflow_provider_lms.lms.errors import LmsInvalidValue
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring.listings.api import PAGES
from airflow_provider_lms.lms.ispring.listings.results import USER_IDS, LearnerResult
from airflow_provider_lms.lms.listing.decoder import PageDecoder
from airflow_provider_lms.lms.listing.pagers import DecodedPage
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.reader import ListingReader
from airflow_provider_lms.lms.listing.spec import Listing

log = logging.getLogger(__name__)

OnUnknownUser: TypeAlias = Literal["fail", "skip"]
R = TypeVar("R", bound=LearnerResult)

_USERS = USER_IDS.name


class ResultsReader(ListingReader[R]):
    """Reads a results listing. Parameters that are not named here are those of :class:`ListingReader`.

    :param on_unknown_user: ``fail`` names a user id that the LMS does not know; ``skip`` reads the others.
    :param unknown: user ids that ``skip`` does not ask for; those that the LMS rejects are added.
    :param expected: it is an error if the LMS knows none of these users. The query may ask for only some of them.
    """

    def __init__(
        self,
        transport: Transport,
        listing: Listing[R],
        query: Query,
        decoder: PageDecoder[R],
        *,
        on_unknown_user: OnUnknownUser,
        unknown: set[str],
        expected: Sequence[str],
        prefetch: bool = False,
    ) -> None:
        super().__init__(transport, listing, query, decoder, prefetch=prefetch)
        self._skip_unknown = on_unknown_user == "skip"
        self._unknown = unknown
        self._expected = expected

    def fetch(self, query: Query, position: str) -> DecodedPage[R]:
        known = self._known(query)
        if known is None:
            return DecodedPage(self.listing.path, [])
        try:
            return super().fetch(known, position)
        except LmsInvalidValue as error:
            found = False
            for user in self._search(known):
                found = True
                if not self._skip_unknown:
                    raise LmsInvalidValue(
                        f"GET {self.listing.path}: user_ids: the LMS does not know {user!r}. "
                        "Remove it, or set on_unknown_user='skip'.",
                        error.status,
                        is_refusal=error.is_refusal,
                    ) from None
                self._unknown.add(user)
            if not found:
                raise
            if self._expected and self._unknown.issuperset(self._expected):
                raise LmsInvalidValue(
                    f"GET {self.listing.path}: user_ids: the LMS knows none of these users. Are these ids of another "
                    "kind?",
                    error.status,
                    is_refusal=error.is_refusal,
                ) from None
        log.warning("user_ids: skipping %s, which the LMS does not know.", ", ".join(sorted(self._unknown)))
        return self.fetch(query, position)

    def _known(self, query: Query) -> Query | None:
        """The query without unknown users; None if nobody is left to ask for."""
        users = query.ids(_USERS)
        if not users or not self._unknown:
            return query
        known = [user for user in users if user not in self._unknown]
        return query.with_ids(_USERS, known) if known else None

    def _search(self, query: Query) -> Iterator[str]:
        """The users that are rejected alone. None of them if the LMS rejects something else in the query."""
        users = query.ids(_USERS)
        if not users or not self._is_rejected(query, users) or self._is_rejected(query, ()):
            return
        suspects: list[tuple[str, ...]] = [users]
        while suspects:
            rejected = suspects.pop()
            if len(rejected) == 1:
                yield rejected[0]
                continue
            half = len(rejected) // 2
            suspects += [part for part in (rejected[half:], rejected[:half]) if self._is_rejected(query, part)]

    def _is_rejected(self, query: Query, users: tuple[str, ...]) -> bool:
        probe = query.with_ids(_USERS, users).with_fixed(PAGES.size_param, "1")
        try:
            self._transport.get(probe.path, probe.params())
        except LmsInvalidValue:
            return True
        return False
