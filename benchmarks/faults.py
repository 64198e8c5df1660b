"""What is left, said and read again when a page breaks, when access is withdrawn, when the process is killed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from benchmarks.agreement import Records, digests, written
from benchmarks.measuring import Process, Work
from benchmarks.peers import CREDENTIALS, JSONL, LISTING
from benchmarks.table import print_table

_CALL = f"GET {LISTING}"
_ROWS = 1_000
"""Records of a page, where nobody asks for another number."""
_HEAD = ("", "first run", "records then", "in its log", "rerun", "pages read again", "missing", "twice or wrong")
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong.

    :param fault: makes the fault, given the process that it hits.
    :param times: how many replies in a row it applies to.
    """

    title: str
    fault: Callable[[Process], Fault]
    times: int = 1


@dataclass(frozen=True)
class _Run:
    """How a run ended.

    :param error: the error's name; None if there was none.
    :param records: what the output holds.
    :param pages: how many pages were asked for.
    :param broken: how many of them did not come whole.
    """

    error: str | None
    records: Records
    pages: int
    broken: int


def _kill(process: Process, _: Request, reply: Reply) -> Reply:
    process.kill()
    return reply


def _withdraw(process: Process, request: Request, reply: Reply) -> Reply:
    return faults.status(403)(request, reply) if process.runs else reply


TROUBLES = {
    "connection": Trouble("the connection ends within the page, once", lambda _: faults.truncated()),
    "document": Trouble("the document is cut, of the length announced, once", lambda _: faults.cut_document()),
    "access": Trouble("403 from here on, until the rerun", lambda process: partial(_withdraw, process), 1_000),
    "killed": Trouble("the process is killed", lambda process: partial(_kill, process)),
}


def suffer(peers: Sequence[str], media_types: Sequence[str], troubles: Sequence[str], pages: int, folder: Path) -> None:
    """Print a table for each trouble.

    :param troubles: names among ``TROUBLES``.
    :param pages: how many pages there are; the trouble comes in the middle.
    """
    world = World(users=pages * _ROWS, courses=1, modules=1, blocked=0)

    def row(trouble: str, case: tuple[str, str]) -> list[str]:
        peer, media_type = case
        suffix = media_type.partition("/")[2]
        with Simulator(world) as lms:
            work = Work(peer, lms.url, folder / f"{trouble}-{peer}-{suffix}", media_type, JSONL)
            return [f"{peer}, {suffix.upper()}", *_figures(lms, work, TROUBLES[trouble], pages)]

    with ThreadPoolExecutor(2) as pool:
        for name in troubles:
            rows = list(pool.map(partial(row, name), product(peers, media_types)))
            print_table(f"Page {pages // 2 + 1} of {pages}: {TROUBLES[name].title}", _HEAD, rows)


def _figures(lms: Simulator, work: Work, trouble: Trouble, pages: int) -> list[str]:
    listing = lms.ispring.module_results()
    expected = digests(iter(listing))
    first = last = _run(lms, work, trouble, pages // 2 + 1)
    said = _said(work.log.read_text(), listing, lms.ispring.tokens)
    if first.error:
        last = _run(lms, work)
    return [
        first.error or "no error",
        f"{first.records.total():,}",
        said,
        (last.error or "no error") if first.error else "-",
        str(last.pages - (pages - (first.pages - first.broken))) if first.error else "-",
        f"{(expected - last.records).total():,}",
        f"{(last.records - expected).total():,}",
    ]


def _run(lms: Simulator, work: Work, trouble: Trouble | None = None, page: int = 0) -> _Run:
    asked = lms.ispring.count(_CALL)
    broken: list[Request] = []
    with Process(work) as process:
        process.wait_until_ready()
        if trouble:
            fault = trouble.fault(process)

            def counted(request: Request, reply: Reply) -> Reply:
                broken.append(request)
                return fault(request, reply)

            lms.ispring.fail(_CALL, counted, on=page, times=trouble.times)
        process.go()
        error = process.outcome()
    return _Run(error, written(work.peer, work.output), lms.ispring.count(_CALL) - asked, len(broken))


def _said(log: str, listing: Sequence[Mapping[str, Any]], tokens: Sequence[str]) -> str:
    """What a log gives away of learners and secrets."""
    learners = {row[name] for row in listing for name in ("userId", "enrollmentId")}
    secret = any(word in log for word in (CREDENTIALS["client_secret"], *tokens))
    said = [
        *([f"{count:,} ids of learners"] if (count := len(learners.intersection(_UUID.findall(log)))) else []),
        *(["a secret"] if secret else []),
    ]
    return ", ".join(said) or "nothing"
