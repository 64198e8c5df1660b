"""An LMS that costs nothing: pages rendered beforehand, served from memory by a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from airflow_provider_lms.simulator.exchange import JSON, XML, Reply
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import World
from benchmarks.agreement import Records, digests

_TOKEN = b'{"access_token": "benchmark-token", "expires_in": 1800, "token_type": "bearer"}'
_COUNT = "/requests"


@dataclass(frozen=True)
class Server:
    """A server that runs.

    :param pages: how many pages the listing has.
    :param rows: records per page.
    :param latency: seconds before each page.
    """

    url: str
    pages: int
    rows: int
    latency: float

    @property
    def records(self) -> int:
        return self.pages * self.rows

    def requests(self) -> int:
        """Requests since this was last asked."""
        with urllib.request.urlopen(self.url + _COUNT) as answer:
            return int(answer.read())


@contextmanager
def serving(pages: int, rows: int, latency: float = 0.0) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.server", str(pages), str(rows), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", pages, rows, latency)
        finally:
            process.terminate()


def expected(pages: int, rows: int) -> Records:
    """What such a server's listing holds."""
    return digests(iter(_results(pages, rows)))


def _results(pages: int, rows: int) -> list[dict[str, Any]]:
    return ISpring(World(users=pages * rows, courses=1, modules=1, blocked=0)).module_results()


def _render(pages: int, rows: int) -> dict[str, list[bytes]]:
    """The same pages in both formats."""
    found = _results(pages, rows)
    contents: list[dict[str, Any]] = [{"results": found[n * rows : (n + 1) * rows]} for n in range(pages)]
    for number, content in enumerate(contents[:-1], start=1):
        content["nextPageToken"] = str(number)
    return {kind: [Reply(content=content, media_type=kind).body() for content in contents] for kind in (JSON, XML)}


class _Handler(BaseHTTPRequestHandler):
    """Serves the rendered pages by number."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    pages: ClassVar[dict[str, list[bytes]]] = {}
    latency: ClassVar[float] = 0.0
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
        time.sleep(self.latency)
        number = int(parse_qs(urlsplit(self.path).query).get("pageToken", ["0"])[0])
        kind = JSON if JSON in self.headers.get("Accept", "") else XML
        self._send(kind, self.pages[kind][number])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    pages, rows, latency = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    _Handler.pages, _Handler.latency = _render(pages, rows), latency
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
