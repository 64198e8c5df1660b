"""The simulator's HTTP server, on this machine only."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_lms import clock
from airflow_provider_lms.simulator.control_requests import PREFIX, ControlRequests
from airflow_provider_lms.simulator.controls import Controls
from airflow_provider_lms.simulator.exchange import TEXT, Reply, Request
from airflow_provider_lms.simulator.files import Files
from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.request_log import LoggedRequest, RequestLog
from airflow_provider_lms.simulator.vendor import Vendor
from airflow_provider_lms.simulator.world import World
from airflow_provider_lms.simulator.zoho import Limits, Zoho


class Simulator:
    """Serves a world over HTTP on 127.0.0.1, in threads of this process. Use it as a context manager.

    :param world: what there is to read.
    :param port: the port; 0 takes a free one.
    :param latency: seconds before each reply.
    :param zoho_limits: what the Zoho People account may do; None for Zoho's own limits.
    :param on_request: told of each request that was served.

    ``vendors`` are the simulated vendors by connection type, and ``files`` serves certificates. ``connections`` counts
    those that clients have opened; ``most_in_flight`` is the greatest number of requests that were served at once.
    ``controls`` steers it while it runs, ``log`` has the last requests, and ``latency`` may be changed.

    Example::

        with Simulator(World(users=50)) as lms:
            os.environ["AIRFLOW_CONN_ISPRING_LEARN_DEFAULT"] = json.dumps(lms.connection())
            rows = ISpringCourseResultsOperator(task_id="results").execute({})
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        port: int = 0,
        latency: float = 0.0,
        zoho_limits: Limits | None = None,
        on_request: Callable[[LoggedRequest], None] = lambda _: None,
    ) -> None:
        self.world = World() if world is None else world
        self.ispring = ISpring(self.world)
        self.zoho = Zoho(self.world, zoho_limits)
        self.vendors: dict[str, Vendor] = {"ispring_learn": self.ispring, "zoho_people": self.zoho}
        self.files = Files()
        self.connections = 0
        self.most_in_flight = 0
        self._in_flight = 0
        self._mutex = threading.Lock()
        self.latency = latency
        self.log = RequestLog(on_request)
        self.controls = Controls(self)
        self._control_requests = ControlRequests(self.controls, self.log)
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def connection(self, conn_type: str = "ispring_learn") -> dict[str, Any]:
        """An Airflow connection to a simulated vendor; as JSON it is the value of an ``AIRFLOW_CONN_<ID>`` variable."""
        return {"conn_type": conn_type, **self.vendors[conn_type].connection(self.url)}

    def __enter__(self) -> Simulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.controls.end()

    def serve(self) -> None:
        """Serve until interrupted."""
        with self:
            self._thread.join()

    def reply(self, request: Request) -> Reply:
        """The reply of the vendor that has the endpoint, or of a control."""
        path = request.call.partition(" ")[2]
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return self._control_requests.reply(request)
        at, began = clock.utcnow().isoformat(timespec="seconds"), time.perf_counter()
        with self._counted():
            time.sleep(self.latency)
            replies = (vendor.reply(request) for vendor in (*self.vendors.values(), self.files))
            reply = next(filter(None, replies), Reply(status=404, content="Not found", media_type=TEXT))
        ms = round((time.perf_counter() - began) * 1_000)
        self.log.add(LoggedRequest(at, request.call, reply.status, ms))
        return reply

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._mutex:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield
        finally:
            with self._mutex:
                self._in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up; anything else is a fault of the simulator."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.simulator.connections += 1

    def do_GET(self) -> None:
        self._serve("")

    def do_POST(self) -> None:
        self._serve(self._body())

    def do_DELETE(self) -> None:
        self._serve(self._body())

    def _body(self) -> str:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are kept by the vendors; nothing goes to the terminal."""

    def _serve(self, body: str) -> None:
        url = urlsplit(self.path)
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        request = Request(
            call=f"{self.command} {url.path}",
            query=tuple(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            form=dict(parse_qsl(body)) if form else {},
            body="" if form else body,
        )
        self._send(self.server.simulator.reply(request))

    def _send(self, reply: Reply) -> None:
        if reply.delay:
            time.sleep(reply.delay)
        if reply.unsent:
            self._hang_up(reply.reset)
            return
        body = reply.body()
        self.send_response(reply.status)
        self.send_header("Content-Type", f"{reply.media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        sent = body[: int(len(body) * reply.sent)]
        step = max(1, len(sent) // reply.pieces) if reply.pause else max(1, len(sent))
        for start in range(0, len(sent), step):
            if reply.pause:
                self.wfile.flush()
                time.sleep(reply.pause)
            self.wfile.write(sent[start : start + step])
        self.wfile.flush()
        if reply.sent < 1:
            self._hang_up(reply.reset)

    def _hang_up(self, hard: bool) -> None:
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
