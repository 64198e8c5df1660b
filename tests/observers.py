"""What an account's observer is told, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_lms.lms.errors import WaitReason
from airflow_provider_lms.lms.http.observer import Observer, SentRequest
from airflow_provider_lms.lms.http.rate_limit import Usage


@dataclass(eq=False)
class Recorder(Observer):
    """Remembers all that it is told."""

    is_on = True
    requests: list[SentRequest] = field(default_factory=list)
    tokens: list[SentRequest] = field(default_factory=list)
    waits: list[tuple[WaitReason, int, str]] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    reread: list[tuple[str, int]] = field(default_factory=list)
    written: list[tuple[str, int, int]] = field(default_factory=list)
    polled: list[tuple[int, int, float]] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str]:
        return [each.outcome for each in self.requests]

    def request_ended(self, request: SentRequest) -> None:
        self.requests.append(request)

    def token_requested(self, request: SentRequest) -> None:
        self.tokens.append(request)

    def waited(self, reason: WaitReason, seconds: float, *, in_triggerer: bool = False) -> None:
        self.waits.append((reason, round(seconds), "triggerer" if in_triggerer else "worker"))

    def rate_limit_used(self, usage: Usage) -> None:
        self.usages.append(usage)

    def pages_reread(self, reason: str, pages: int = 1) -> None:
        self.reread += [(reason, pages)] if pages else []

    def records_written(self, listing: str, records: int, size: int) -> None:
        self.written.append((listing, records, size))

    def polls(self, count: int, waiting: int, oldest_seconds: float) -> None:
        self.polled.append((count, waiting, oldest_seconds))
