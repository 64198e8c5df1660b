"""Everybody reads the same pages, one after the other, over and over."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import agreement
from benchmarks.measuring import Figures, Work, measure
from benchmarks.peers import CONTENDERS, OURS
from benchmarks.server import Server, expected, serving
from benchmarks.table import describe_load, print_table, spread


@dataclass(frozen=True)
class Scenario:
    """What is compared.

    :param peers: who takes part, of those that write the format; ours always does.
    :param runs: how often each reads, in turns.
    :param writers: how many processes read at once, each all pages into a folder of its own.
    """

    peers: Sequence[str]
    format: str
    runs: int
    writers: int

    @property
    def taking_part(self) -> list[str]:
        return [
            name for name, each in CONTENDERS.items() if name in (OURS, *self.peers) and self.format in each.formats
        ]


def compare(scenario: Scenario, media_types: Sequence[str], big: Server, folder: Path) -> None:
    """Print a table for each media type.

    :param big: what is read.
    """
    records = expected(big.pages, big.rows)
    with serving(2, big.rows) as small:
        for media_type in media_types:
            taken: dict[str, list[Figures]] = {name: [] for name in scenario.taking_part}
            requests = {}
            for run in range(scenario.runs):
                for name in taken:
                    place = folder / f"{media_type.partition('/')[2]}-{run}-{name}"
                    works = [
                        Work(name, big.url, place / str(writer), media_type, scenario.format, small.url, place / "home")
                        for writer in range(scenario.writers)
                    ]
                    big.requests()
                    taken[name].append(measure(works))
                    requests[name] = big.requests()
                    if run == 0:
                        for work in works:
                            agreement.check(name, work.output, records)
            title = f"{media_type} to {scenario.format}, {big.records:,} records, outputs equal"
            if scenario.writers > 1:
                title += f", {scenario.writers} processes at once, each all of them"
            _print(title, big, scenario.writers * big.records, taken, requests)


def _print(title: str, big: Server, records: int, taken: dict[str, list[Figures]], requests: dict[str, int]) -> None:
    least = big.pages * big.pace.latency

    def ratios(figures: list[Figures], of: Callable[[Figures], float]) -> str:
        return spread([of(each) / of(own) for each, own in zip(figures, taken[OURS], strict=True)])

    rows = []
    for name, figures in taken.items():
        wall = statistics.median(each.wall for each in figures)
        rows.append(
            [
                name,
                f"{records / wall:,.0f}",
                spread([each.cpu for each in figures]),
                ratios(figures, lambda each: each.wall),
                ratios(figures, lambda each: each.cpu),
                *([f"{wall / least:.2f}"] if least else []),
                f"{statistics.median(each.peak for each in figures):.0f}",
                str(requests[name]),
            ]
        )
    head = ["", "records/s", "CPU s", "wall, ours = 1", "CPU, ours = 1"]
    if least:
        head.append("wall over pages x latency")
    print_table(title, [*head, "peak MB", "requests"], rows)
    print(f"\n{describe_load([each.others for figures in taken.values() for each in figures])}", flush=True)
