"""Ways to bring all module results into files, one module each; each runs in a process of its own.

A peer is ``read(task)``, which reads a listing into a folder, and ``files(folder)``, which says what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from airflow_provider_lms.simulator.exchange import JSON
from airflow_provider_lms.simulator.ispring import ISpring

JSONL, CSV, PARQUET = "jsonl", "csv", "parquet"
LISTING = "/learners/modules/results"
TOKEN = "/api/v3/token"
# The LMS answers in XML where nobody asks for JSON.
TOKEN_HEADERS = {"Accept": JSON}
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": ISpring.client_id,
    "client_secret": ISpring.client_secret,
}


@dataclass(frozen=True)
class Task:
    """What is to be done.

    :param url: the LMS.
    :param output: a folder, which exists.
    :param media_type: what the LMS is asked for, JSON or XML.
    :param format: what is written: JSONL, CSV or PARQUET.
    :param courses: the ids of the courses to read; none are all.
    :param parallel: how many requests may be in flight.
    """

    url: str
    output: Path
    media_type: str = JSON
    format: str = JSONL
    courses: Sequence[str] = ()
    parallel: int = 1


class Peer(Protocol):
    def read(self, task: Task) -> None: ...

    def files(self, folder: Path) -> Sequence[Path]: ...


@dataclass(frozen=True)
class Contender:
    """How a peer takes part.

    :param module: its module, in this package.
    :param formats: what it writes.
    :param packages: what it is made of, apart from Airflow.
    :param by_course: its module that reads some courses, perhaps at the same time; empty if it has none.
    """

    module: str
    formats: Sequence[str]
    packages: Sequence[str]
    by_course: str = ""

    def load(self) -> Peer:
        """The peer, imported now."""
        return _load(self.module)

    def load_by_course(self) -> Peer:
        """The peer that reads some courses, imported now."""
        return _load(self.by_course)


def _load(module: str) -> Peer:
    return cast(Peer, import_module(f"benchmarks.peers.{module}"))


OURS, BY_HAND, HTTP_OPERATOR, DLT, DLT_TUNED = "ours", "by-hand", "HttpOperator", "dlt", "dlt-tuned"
CONTENDERS = {
    OURS: Contender("ours", (JSONL, CSV, PARQUET), ("msgspec", "pyarrow"), "ours"),
    BY_HAND: Contender("by_hand", (JSONL, PARQUET), ("requests", "xmltodict", "pandas"), "by_hand_courses"),
    "bare-loop": Contender("bare", (JSONL,), ("lxml",)),
    HTTP_OPERATOR: Contender("http_operator", (JSONL,), ("apache-airflow-providers-http",), "http_operator"),
    DLT: Contender("dlt_documented", (JSONL, PARQUET), ("dlt",), "dlt_courses"),
    DLT_TUNED: Contender("dlt_tuned", (JSONL, PARQUET), ()),
    "singer-sdk": Contender("singer", (JSONL,), ("singer-sdk",)),
}
