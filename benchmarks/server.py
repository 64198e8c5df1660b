"""An LMS that costs nothing: pages rendered beforehand, served from memory by a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from airflow_provider_lms.simulator.exchange import JSON, XML, Reply
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import World
from benchmarks.agreement import Records, digests

_TOKEN = b'{"access_token": "benchmark-token", "expires_in": 1800, "token_type": "bearer"}'
_COUNT = "/requests"
_ENDS = {
    JSON: ("}", ', "nextPageToken": "%d"}'),
    XML: ("</response>", "<nextPageToken>%d</nextPageToken></response>"),
}
"""How the last page of a listing ends, and how any other does: that depends on the courses that were asked for."""


@dataclass(frozen=True)
class Pace:
    """How long a page takes.

    :param latency: seconds before each page.
    :param jitter: the share by which the latency varies, up or down.
    :param growth: the latency is multiplied by the number of requests in flight to the power of this. With 0 the server
        serves any number at a time, with 1 as many per second as one at a time, with more it gets slower.
    """

    latency: float = 0.0
    jitter: float = 0.0
    growth: float = 0.0

    def __str__(self) -> str:
        return f"{self.latency:g} s" + (f" ± {self.jitter:.0%}" if self.jitter else "")

    def seconds(self, in_flight: int) -> float:
        seconds: float = self.latency * in_flight**self.growth
        return seconds * random.uniform(1 - self.jitter, 1 + self.jitter)


@dataclass(frozen=True)
class Server:
    """A server that runs.

    :param pages: how many pages the listing of each course has.
    :param rows: records per page.
    """

    url: str
    pages: int
    rows: int
    pace: Pace
    courses: int

    @property
    def records(self) -> int:
        return self.courses * self.pages * self.rows

    def requests(self) -> int:
        """Requests since this was last asked."""
        with urllib.request.urlopen(self.url + _COUNT) as answer:
            return int(answer.read())


@contextmanager
def serving(
    pages: int, rows: int, pace: Pace = Pace(), *, courses: int = 1, media_types: Sequence[str] = (JSON, XML)
) -> Iterator[Server]:
    command = [
        *(sys.executable, "-m", "benchmarks.server", str(pages), str(rows), str(courses), ",".join(media_types)),
        *map(str, astuple(pace)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", pages, rows, pace, courses)
        finally:
            process.terminate()


def expected(pages: int, rows: int, courses: int = 1) -> Records:
    """What such a server's listing holds."""
    return digests(iter(_results(pages, rows, courses)))


def course_ids(courses: int) -> list[str]:
    return [course.id for course in World(users=1, courses=courses, modules=1, blocked=0).catalog]


def _results(pages: int, rows: int, courses: int) -> list[dict[str, Any]]:
    return ISpring(World(users=pages * rows, courses=courses, modules=1, blocked=0)).module_results()


def _render(pages: int, rows: int, courses: int, media_types: Sequence[str]) -> dict[str, dict[str, list[bytes]]]:
    """The pages of each course, without their ends, in each media type."""
    found: dict[str, list[dict[str, Any]]] = {course: [] for course in course_ids(courses)}
    for row in _results(pages, rows, courses):
        found[row["courseId"]].append(row)

    def heads(kind: str, results: Sequence[Mapping[str, Any]]) -> list[bytes]:
        contents = [{"results": results[n * rows : (n + 1) * rows]} for n in range(pages)]
        bodies = (Reply(content=content, media_type=kind).body() for content in contents)
        return [body.removesuffix(_ENDS[kind][0].encode()) for body in bodies]

    return {kind: {course: heads(kind, results) for course, results in found.items()} for kind in media_types}


class _Handler(BaseHTTPRequestHandler):
    """Serves the rendered pages by number, of the courses that are asked for, or of all."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    pages: ClassVar[dict[str, dict[str, list[bytes]]]] = {}
    pace: ClassVar[Pace] = Pace()
    in_flight: ClassVar[int] = 0
    lock: ClassVar[threading.Lock] = threading.Lock()
    # Its methods are one step each, so threads need no lock.
    arrived: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.arrived.append(self.path)
        self._send(JSON, _TOKEN)

    def do_GET(self) -> None:
        if self.path == _COUNT:
            count = len(self.arrived)
            del self.arrived[:count]
            self._send(JSON, json.dumps(count).encode())
            return
        self.arrived.append(self.path)
        self._wait()
        kind = JSON if JSON in self.headers.get("Accept", "") else XML
        query = parse_qs(urlsplit(self.path).query)
        courses = query.get("courseIds[]", self.pages[kind])
        pages = [page for course in courses for page in self.pages[kind][course]]
        number = int(query.get("pageToken", ["0"])[0])
        last, other = _ENDS[kind]
        self._send(kind, pages[number] + (last if number + 1 == len(pages) else other % (number + 1)).encode())

    def _wait(self) -> None:
        with self.lock:
            _Handler.in_flight += 1
            seconds = self.pace.seconds(self.in_flight)
        time.sleep(seconds)
        with self.lock:
            _Handler.in_flight -= 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    pages, rows, courses = map(int, sys.argv[1:4])
    _Handler.pages = _render(pages, rows, courses, sys.argv[4].split(","))
    _Handler.pace = Pace(*map(float, sys.argv[5:]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
