"""Query parameters, and how ids that do not fit into one URL are spread over several requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from urllib.parse import quote, urlencode

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Query:
    """What one listing asks for.

    :param fixed: parameters sent with every request.
    :param ids: parameters whose ids may be spread over several requests, since each row belongs to just one id of each.
    """

    fixed: Pairs
    ids: Mapping[str, tuple[str, ...]]

    def params(self) -> Pairs:
        return *self.fixed, *((name, item) for name, items in self.ids.items() for item in items)

    def asking(self, name: str, items: tuple[str, ...]) -> Query:
        """The same query with other ids for one parameter."""
        return replace(self, ids={**self.ids, name: items})

    def split(self, room: int) -> list[Query]:
        """Queries of at most ``room`` encoded characters that together ask for the same rows, none of them twice.

        :raises ValueError: the fixed parameters alone do not fit.
        """
        units = {name: len(quote(name)) + max(map(len, map(quote, items))) + 2 for name, items in self.ids.items()}
        sizes = {name: len(items) for name, items in self.ids.items()}
        left = room - len(urlencode(self.fixed))
        while sum(units[name] * size for name, size in sizes.items()) > left:
            longest = max(sizes, key=lambda name: (sizes[name] > 1) * units[name] * sizes[name], default=None)
            if longest is None or sizes[longest] == 1:
                names = [name for name, _ in self.fixed]
                name = max(names, key=names.count, default="the filters")
                raise ValueError(f"{name}: too many values for one request. Give fewer, and read the others apart.")
            sizes[longest] -= 1
        chunks = [_batched(items, sizes[name]) for name, items in self.ids.items()]
        return [replace(self, ids=dict(zip(self.ids, choice, strict=True))) for choice in product(*chunks)]


def position(start: str | None) -> tuple[int, str | None]:
    """The split query and the page token that a continuation stands for.

    :raises ValueError: not a continuation.
    """
    if start is None:
        return 0, None
    index, colon, token = start.partition(":")
    if not colon or not index.isdigit():
        raise ValueError("start: expected the 'next' of an earlier page of the same query.")
    return int(index), token or None


def continuation(index: int, count: int, token: str | None) -> str | None:
    """What :func:`position` reads: the next page of a query, the next query, or None after the last."""
    if token is not None:
        return f"{index}:{token}"
    return f"{index + 1}:" if index + 1 < count else None


def _batched(items: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    left = iter(items)
    while batch := tuple(islice(left, size)):
        yield batch
