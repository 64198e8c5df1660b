"""Cuts changes into what one request can do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator

from airflow_provider_lms.sync.changes import Change

MOST_AT_ONCE = 50
"""How many people one request is for. No LMS names a limit."""


def in_chunks(changes: Iterable[Change], request: Callable[[Change], Hashable]) -> Iterator[list[Change]]:
    """Changes by what one request can do, in the order in which the first of each comes.

    :param request: what must be the same for changes to go into one request.
    """
    groups: dict[Hashable, list[Change]] = defaultdict(list)
    for each in changes:
        groups[request(each)].append(each)
    for group in groups.values():
        yield from (group[begin : begin + MOST_AT_ONCE] for begin in range(0, len(group), MOST_AT_ONCE))
