"""How much memory one very large page takes: ``python -m benchmarks.large_page``.

A server in a process of its own sends one page of module results, as JSON. The peak is that of this process, which does
nothing but read it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.connection import Connection

import psutil

from airflow_provider_lms.coordination import MemoryStore, SharedRateLimiter, SharedTokens
from airflow_provider_lms.lms.http.rate_limit import RateLimits
from airflow_provider_lms.lms.http.transport import Transport
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.lms.ispring.errors import error_of
from airflow_provider_lms.lms.ispring.grant import ClientCredentials

_MEGABYTE = 1_000_000


def _serve(megabytes: int, ready: Connection) -> None:
    from airflow_provider_lms.simulator import World
    from airflow_provider_lms.simulator.ispring import ISpring

    rows = ISpring(World()).module_results()
    text = ", ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    copies = megabytes * _MEGABYTE // len(text.encode()) + 1
    page = f'{{"results": [{", ".join([text] * copies)}]}}'.encode()
    token = b'{"access_token": "token", "expires_in": 1800}'

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(page)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(token)

        def log_message(self, *_: object) -> None:
            pass

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    ready.send((server.server_port, len(page)))
    server.serve_forever()


@contextmanager
def _server(megabytes: int) -> Iterator[tuple[str, int]]:
    spawn = multiprocessing.get_context("spawn")
    ready, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(megabytes, theirs), daemon=True)
    process.start()
    port, size = ready.recv()
    try:
        yield f"http://127.0.0.1:{port}", size
    finally:
        process.terminate()
        process.join()


def main() -> None:
    """Read one page, and print the peak memory above that before the request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200, help="size of the page")
    megabytes: int = parser.parse_args().megabytes
    with _server(megabytes) as (url, size):
        store = MemoryStore()
        transport = Transport(
            url,
            ClientCredentials(f"{url}/api/v3/token", "client", "secret"),
            tokens=SharedTokens(store, [url], "client", ["secret"]),
            rate_limiter=SharedRateLimiter(store, url, "client", RateLimits()),
            error_of=error_of,
            max_body_bytes=2 * size,
        )
        client = ISpringLearnClient(transport)
        before, started = psutil.Process().memory_info().rss, time.perf_counter()
        page = next(client.module_results())
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
        print(
            f"A page of {size / _MEGABYTE:,.0f} MB with {len(page.records):,} records took {seconds:.1f} s and "
            f"{(peak - before) / _MEGABYTE:,.0f} MB of memory above the {before / _MEGABYTE:,.0f} MB before."
        )
        client.close()


if __name__ == "__main__":
    main()
