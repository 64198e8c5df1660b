from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_lms.lms.ispring import ISpringLearnClient


@dataclass
class Clients:
    """How many clients were made, and how many of them closed."""

    made: list[ISpringLearnClient] = field(default_factory=list)
    closed: list[ISpringLearnClient] = field(default_factory=list)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    found = Clients()
    init, close = ISpringLearnClient.__init__, ISpringLearnClient.close

    def make(self: ISpringLearnClient, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        found.made.append(self)

    def end(self: ISpringLearnClient) -> None:
        close(self)
        found.closed.append(self)

    monkeypatch.setattr(ISpringLearnClient, "__init__", make)
    monkeypatch.setattr(ISpringLearnClient, "close", end)
    return found
