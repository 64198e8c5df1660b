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
    """

    url: str
    output: Path
    media_type: str = JSON
    format: str = JSONL


class Peer(Protocol):
    def read(self, task: Task) -> None: ...

    def files(self, folder: Path) -> Sequence[Path]: ...


@dataclass(frozen=True)
class Contender:
    """How a peer takes part.

    :param module: its module, in this package.
    :param formats: what it writes.
    :param packages: what it is made of, apart from Airflow.
    """

    module: str
    formats: Sequence[str]
    packages: Sequence[str]

    def load(self) -> Peer:
        """The peer, imported now."""
        return cast(Peer, import_module(f"benchmarks.peers.{self.module}"))


OURS, BY_HAND, HTTP_OPERATOR, DLT_TUNED = "ours", "by-hand", "HttpOperator", "dlt-tuned"
CONTENDERS = {
    OURS: Contender("ours", (JSONL, CSV, PARQUET), ("msgspec", "pyarrow")),
    BY_HAND: Contender("by_hand", (JSONL, PARQUET), ("requests", "xmltodict", "pandas")),
    "bare-loop": Contender("bare", (JSONL,), ("lxml",)),
    HTTP_OPERATOR: Contender("http_operator", (JSONL,), ("apache-airflow-providers-http",)),
    "dlt": Contender("dlt_documented", (JSONL, PARQUET), ("dlt",)),
    DLT_TUNED: Contender("dlt_tuned", (JSONL, PARQUET), ()),
    "singer-sdk": Contender("singer", (JSONL,), ("singer-sdk",)),
}
