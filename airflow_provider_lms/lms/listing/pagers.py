"""How a listing is cut into pages, and the guards that it moves on and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.http.documents import peek_text_field
from airflow_provider_lms.lms.http.response import Response
from airflow_provider_lms.lms.listing.filters import Pairs
from airflow_provider_lms.lms.parameters import parse_int

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class DecodedPage(Generic[R]):
    """The content of one page.

    :param call: the page's name in messages.
    :param records: the typed records.
    :param marker: what the page says about the next one, as the listing's pager has read it.
    :param misfits: the attributes of which a record has a value that does not fit.
    :param new_fields: the fields of this and earlier pages that are not declared.
    :param consistent: False if records came or went between this page and the one before.
    :param again: whether the page was read before, and had to be read once more.
    """

    call: str
    records: list[R]
    marker: str | bool | None = None
    misfits: frozenset[str] = frozenset()
    new_fields: frozenset[str] = frozenset()
    consistent: bool = True
    again: bool = False


Fetch = Callable[[str], DecodedPage[R]]
"""Reads the page at a position."""
Identify = Callable[[R], object]
"""What tells whether two rows are about the same thing."""


class Pager(Protocol):
    """A vendor's way to page. A position is text: a page token, or the number of a record."""

    @property
    def marker_field(self) -> str | None:
        """The field beside the rows that tells about the next page."""

    @property
    def resumable(self) -> bool:
        """Whether a position still means the same when records have come and gone."""

    @property
    def numbers(self) -> frozenset[str]:
        """The parameters for pages that are numbers in a JSON body."""

    def page_size(self, size: int | None) -> Pairs:
        """The query parameters for a page size.

        :raises ValueError: the LMS has no such parameter, or this is not a size.
        """

    def check(self, position: str | None) -> str:
        """A position that a caller gives; the beginning for None.

        :raises ValueError: not a position.
        """

    def params(self, position: str) -> Pairs:
        """The query parameters that ask for the page at a position."""

    def marker(self, response: Response, value: object) -> str | bool | None:
        """The checked value of ``marker_field``.

        :raises LmsBrokenPage: it is none.
        """

    def peek(self, response: Response) -> str | None:
        """The next position, found without parsing the page, if that is possible."""

    def walk(
        self, fetch: Fetch[R], position: str, identify: Identify[R]
    ) -> Iterator[tuple[DecodedPage[R], str | None]]:
        """Every page from a position on, each with the next position; None after the last.

        :param identify: what tells whether two rows are about the same thing.
        :raises LmsBrokenPage: the listing does not move on.
        """


@dataclass(frozen=True)
class CursorPager:
    """Every page names the token of the next one; the last page names none.

    :param token_field: the field with the token, beside the rows.
    :param token_param: the query parameter for it.
    :param size_param: the query parameter for the page size.
    """

    token_field: str
    token_param: str
    size_param: str

    resumable = True

    @property
    def marker_field(self) -> str:
        return self.token_field

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset((self.size_param,))

    def page_size(self, size: int | None) -> Pairs:
        return () if size is None else ((self.size_param, str(parse_int("page_size", size))),)

    def check(self, position: str | None) -> str:
        return position or ""

    def params(self, position: str) -> Pairs:
        return ((self.token_param, position),) if position else ()

    def marker(self, response: Response, value: object) -> str | None:
        if not isinstance(value, str | None):
            raise response.broken_page(f"{self.token_field!r} is not text.")
        return value or None

    def peek(self, response: Response) -> str | None:
        return peek_text_field(response, self.token_field)

    def walk(
        self,
        fetch: Fetch[R],
        position: str,
        identify: Identify[R],  # noqa: ARG002
    ) -> Iterator[tuple[DecodedPage[R], str | None]]:
        seen, empty = {position}, 0
        while True:
            page = fetch(position)
            empty = 0 if page.records else empty + 1
            if empty > _MOST_EMPTY:
                raise LmsBrokenPage(
                    f"{page.call}: more than {_MOST_EMPTY} pages in a row are empty, and yet each names another. "
                    "Try again; if it happens again, report it to the vendor."
                )
            following = page.marker if isinstance(page.marker, str) else None
            if following in seen:
                raise LmsBrokenPage(
                    f"{page.call}: it names a page token that was already used, so the listing would never end. "
                    "Nothing from this page was kept. Try again; if it happens again, report it to the vendor."
                )
            yield page, following
            if following is None:
                return
            position = following
            seen.add(position)


@dataclass(frozen=True)
class UnpagedPager:
    """The LMS sends the whole listing at once.

    :param marker_field: the field by which the LMS announces more pages elsewhere. A page that has it breaks: the
        listing is paged after all.
    """

    marker_field: str

    resumable = True
    numbers = frozenset[str]()

    def page_size(self, size: int | None) -> Pairs:
        if size is not None:
            raise ValueError("page_size: this listing comes in one piece. Leave the parameter out.")
        return ()

    def check(self, position: str | None) -> str:
        if position:
            raise ValueError("start: this listing comes in one piece. Leave the parameter out.")
        return ""

    def params(self, position: str) -> Pairs:  # noqa: ARG002
        return ()

    def marker(self, response: Response, value: object) -> bool:  # noqa: ARG002
        return bool(value)

    def peek(self, response: Response) -> str | None:  # noqa: ARG002
        return None

    def walk(
        self,
        fetch: Fetch[R],
        position: str,
        identify: Identify[R],  # noqa: ARG002
    ) -> Iterator[tuple[DecodedPage[R], str | None]]:
        page = fetch(position)
        if page.marker:
            raise LmsBrokenPage(
                f"{page.call}: {self.marker_field!r} announces another page, but this listing has only one. "
                "Nothing from it was kept."
            )
        yield page, None


_MOST_EMPTY = 100
