"""What one reading of a listing asks for, and how ids that do not fit into one request are split over several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_lms.lms.listing.filters import Pairs


@dataclass(frozen=True)
class Query:
    """A checked query of a listing.

    :param path: the path with its ids.
    :param shown_path: the path for messages, without the ids of people.
    :param endpoint: the path for traces, without any ids.
    :param path_ids: the ids in the path, by parameter.
    :param fixed: query parameters that every request has.
    :param id_lists: filters whose ids may be split over several requests, by parameter: every row belongs to just one
        id of each.
    """

    path: str
    shown_path: str
    endpoint: str
    path_ids: Mapping[str, str]
    fixed: Pairs
    id_lists: Mapping[str, Pairs]

    def params(self) -> Pairs:
        """All query parameters."""
        return *self.fixed, *(pair for pairs in self.id_lists.values() for pair in pairs)

    def body(self, paging: Pairs = (), *, numbers: Collection[str] = ()) -> dict[str, Any]:
        """All parameters as a JSON body. A name with brackets at its end stands for an array.

        :param paging: further parameters, which ask for one page.
        :param numbers: the parameters whose values are numbers in JSON.
        """
        found: dict[str, Any] = {}
        for name, value in (*self.params(), *paging):
            if name.endswith("[]"):
                found.setdefault(name[:-2], []).append(value)
            else:
                found[name] = int(value) if name in numbers else value
        return found

    def ids(self, name: str) -> tuple[str, ...]:
        """The ids that a filter asks for; none if it is not set."""
        return tuple(item for _, item in self.id_lists.get(name, ()))

    def with_ids(self, name: str, ids: Iterable[str]) -> Query:
        """The same query with other ids for a filter that is set."""
        ((param, _), *_rest) = self.id_lists[name]
        return replace(self, id_lists={**self.id_lists, name: tuple((param, item) for item in ids)})

    def with_fixed(self, name: str, value: str) -> Query:
        """The same query with another value for one fixed parameter."""
        return replace(self, fixed=(*(pair for pair in self.fixed if pair[0] != name), (name, value)))

    def fits(self, room: int) -> bool:
        """Whether the query needs no split.

        :param room: how many characters the query string may have.
        """
        lengths = self._lengths()
        return sum(lengths[name] * len(pairs) for name, pairs in self.id_lists.items()) <= self._left(room)

    def split(self, room: int) -> list[Query]:
        """Queries that together ask for the same rows, each row once.

        :param room: how many characters the query string may have.
        :raises ValueError: the other parameters alone do not fit.
        """
        return self._split(self._lengths(), self._left(room))

    def split_by_number(self, most: int) -> list[Query]:
        """Queries that together ask for the same rows, each row once.

        :param most: how many ids each may have, of all filters together.
        :raises ValueError: there are more filters than that.
        """
        return self._split(dict.fromkeys(self.id_lists, 1), most)

    def _lengths(self) -> dict[str, int]:
        """How many characters of a query string an id takes at most, by parameter."""
        return {
            name: 2 + max(len(quote(param) + quote(item)) for param, item in pairs)
            for name, pairs in self.id_lists.items()
        }

    def _left(self, room: int) -> int:
        """The characters that are left for ids."""
        return room - len(urlencode(self.fixed))

    def _split(self, units: Mapping[str, int], left: int) -> list[Query]:
        """The smallest split found by taking ids away from what takes most.

        :param units: what one id takes, by parameter.
        :param left: what all ids of a request may take.
        """
        sizes = {name: len(pairs) for name, pairs in self.id_lists.items()}
        while sum(units[name] * size for name, size in sizes.items()) > left:
            longest = max(sizes, key=lambda name: (sizes[name] > 1) * units[name] * sizes[name], default=None)
            if longest is None or sizes[longest] == 1:
                params = [param for param, _ in self.fixed]
                name = max(params, key=params.count, default="the filters")
                raise ValueError(f"{name}: too many values for one request. Give fewer, and read the rest separately.")
            sizes[longest] -= 1
        chunks = [_batched(pairs, sizes[name]) for name, pairs in self.id_lists.items()]
        return [replace(self, id_lists=dict(zip(self.id_lists, choice, strict=True))) for choice in product(*chunks)]


def _batched(pairs: Pairs, size: int) -> Iterator[Pairs]:
    left = iter(pairs)
    while batch := tuple(islice(left, size)):
        yield batch
