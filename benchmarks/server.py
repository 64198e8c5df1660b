"""An LMS that costs nothing: pages rendered beforehand, served from memory by a process of its own."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from airflow_provider_lms.simulator.exchange import JSON, XML, Reply
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import World

TOKEN = b'{"access_token": "benchmark-token", "expires_in": 1800, "token_type": "bearer"}'


def render(pages: int, rows: int) -> dict[str, list[bytes]]:
    """The same pages in both formats."""
    found = ISpring(World(users=pages * rows, courses=1, modules=1, blocked=0)).module_results()
    contents: list[dict[str, Any]] = [{"results": found[n * rows : (n + 1) * rows]} for n in range(pages)]
    for number, content in enumerate(contents[:-1], start=1):
        content["nextPageToken"] = str(number)
    return {kind: [Reply(content=content, media_type=kind).body() for content in contents] for kind in (JSON, XML)}


class Handler(BaseHTTPRequestHandler):
    """Serves the rendered pages by number."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    pages: ClassVar[dict[str, list[bytes]]] = {}
    latency: ClassVar[float] = 0.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(JSON, TOKEN)

    def do_GET(self) -> None:
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
    Handler.pages, Handler.latency = render(pages, rows), latency
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
