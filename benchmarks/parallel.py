"""Reading many courses with several requests in flight, and with one at a time."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import agreement
from benchmarks.agreement import Records
from benchmarks.measuring import Figures, Work, measure
from benchmarks.peers import BY_HAND, CONTENDERS, DLT, HTTP_OPERATOR, OURS
from benchmarks.server import Pace, Server, course_ids, expected, serving
from benchmarks.table import print_table

_GROWTHS = {"one at a time": 1.0, "with two in flight half as many per second": 2.0}
"""How a server that degrades serves pages; see :class:`Pace`."""


@dataclass(frozen=True)
class Scenario:
    """What is read, and how.

    :param peers: who takes part, of those that read by course and write the format; ours always does.
    :param runs: how often each reads.
    :param pages: pages of each course.
    :param rows: records per page.
    :param parallel: how many requests may be in flight.
    """

    peers: Sequence[str]
    media_type: str
    format: str
    runs: int
    courses: int
    pages: int
    rows: int
    parallel: int

    def readers(self) -> list[_Reader]:
        everybody = (
            *(_Reader(OURS, self.parallel), _Reader(OURS, 1)),
            *(_Reader(BY_HAND, self.parallel), _Reader(BY_HAND, 1)),
            *(_Reader(DLT, self.parallel), _Reader(HTTP_OPERATOR, 1)),
        )
        taking_part = [name for name in (OURS, *self.peers) if self.format in CONTENDERS[name].formats]
        return [each for each in everybody if each.peer in taking_part]


@dataclass(frozen=True)
class _Reader:
    peer: str
    parallel: int

    def __str__(self) -> str:
        return f"{self.peer}, {self.parallel} in flight"


@dataclass(frozen=True)
class _Run:
    figures: Figures
    requests: int


def compare(scenario: Scenario, pace: Pace, folder: Path) -> None:
    """Print a table of all readers.

    Those with one request in flight take long and hardly work. So they read at the same time, each from a server of its
    own, while the others take turns.
    """
    serial = [each for each in scenario.readers() if each.parallel == 1]
    parallel = [each for each in scenario.readers() if each.parallel > 1]
    with _bench(scenario, folder) as bench:

        def read_alone(reader: _Reader) -> list[_Run]:
            with _serving(scenario, pace) as server:
                return [bench.run(reader, server) for _ in range(scenario.runs)]

        with ThreadPoolExecutor(len(serial)) as pool:
            alone = pool.map(read_alone, serial)
            with _serving(scenario, pace) as server:
                turns = [[bench.run(reader, server) for reader in parallel] for _ in range(scenario.runs)]
            runs = dict(zip(serial, alone, strict=True))
        runs |= dict(zip(parallel, map(list, zip(*turns, strict=True)), strict=True))
    _check_requests(scenario, runs)
    title = (
        f"{scenario.media_type} to {scenario.format}, {scenario.courses} courses of {scenario.pages} pages, "
        f"{pace} before each page, outputs equal"
    )
    base = _wall(runs[_Reader(OURS, 1)])
    head = ["", "wall s", "times as fast as ours, 1 in flight", "CPU s", "peak MB", "requests"]
    print_table(title, head, [_row(reader, runs[reader], base) for reader in scenario.readers()])


def degrade(scenario: Scenario, pace: Pace, folder: Path) -> None:
    """Print how ours compares with itself where more requests in flight make a server slower."""
    serial, parallel = _Reader(OURS, 1), _Reader(OURS, scenario.parallel)
    rows = []
    for served, growth in _GROWTHS.items():
        slower = Pace(pace.latency, pace.jitter, growth)
        with _bench(scenario, folder / str(growth)) as bench, _serving(scenario, slower) as server:
            turns = [(bench.run(serial, server), bench.run(parallel, server)) for _ in range(scenario.runs)]
        ratio = statistics.median(one.figures.wall / other.figures.wall for one, other in turns)
        walls = [f"{_wall(runs):.2f}" for runs in zip(*turns, strict=True)]
        rows.append([served, *walls, f"{ratio:.2f}"])
    title = f"{scenario.courses} courses of {scenario.pages} pages, {pace} before a page that is alone"
    print_table(title, ["the server serves", f"{serial}: wall s", f"{parallel}: wall s", "ratio"], rows)


class _Bench:
    """Lets readers read, and checks what they write the first time.

    :param small: url of a server with the same courses, to warm up on.
    """

    def __init__(self, scenario: Scenario, folder: Path, small: str, records: Records) -> None:
        self._scenario = scenario
        self._folder = folder
        self._small = small
        self._records = records
        self._courses = course_ids(scenario.courses)
        self._runs: defaultdict[_Reader, int] = defaultdict(int)

    def run(self, reader: _Reader, server: Server) -> _Run:
        self._runs[reader] += 1
        work = Work(
            reader.peer,
            server.url,
            self._folder / f"{reader.peer}-{reader.parallel}-{self._runs[reader]}",
            self._scenario.media_type,
            self._scenario.format,
            self._small,
            courses=self._courses,
            parallel=reader.parallel,
        )
        server.requests()
        figures = measure([work])
        requests = server.requests()
        if self._runs[reader] == 1:
            agreement.check(reader.peer, work.output, self._records)
        return _Run(figures, requests)


@contextmanager
def _bench(scenario: Scenario, folder: Path) -> Iterator[_Bench]:
    records = expected(scenario.pages, scenario.rows, scenario.courses)
    with serving(2, 5, courses=scenario.courses, media_types=[scenario.media_type]) as small:
        yield _Bench(scenario, folder, small.url, records)


def _check_requests(scenario: Scenario, runs: dict[_Reader, list[_Run]]) -> None:
    """Ours may need one request more for each split, of which there are at most as many as courses."""
    most = max(run.requests for run in runs[_Reader(OURS, 1)]) + scenario.courses
    if any(run.requests > most for run in runs[_Reader(OURS, scenario.parallel)]):
        raise RuntimeError(f"{OURS} sent more than {most} requests.")


def _row(reader: _Reader, runs: Sequence[_Run], base: float) -> list[str]:
    return [
        str(reader),
        f"{_wall(runs):.2f}",
        f"{base / _wall(runs):.2f}",
        f"{statistics.median(run.figures.cpu for run in runs):.2f}",
        f"{statistics.median(run.figures.peak for run in runs):.0f}",
        str(runs[-1].requests),
    ]


def _wall(runs: Sequence[_Run]) -> float:
    return statistics.median(run.figures.wall for run in runs)


def _serving(scenario: Scenario, pace: Pace) -> AbstractContextManager[Server]:
    return serving(scenario.pages, scenario.rows, pace, courses=scenario.courses, media_types=[scenario.media_type])
