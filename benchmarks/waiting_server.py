"""An LMS whose learners complete nothing: course results rendered beforehand, served by a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from airflow_provider_lms.simulator.ispring import ISpring
from airflow_provider_lms.simulator.world import World

_TOKEN = b'{"access_token": "benchmark-token", "expires_in": 86400, "token_type": "bearer"}'
_NOBODY = b'{"results": []}'


@dataclass(frozen=True)
class Server:
    url: str

    def count(self) -> int:
        """How many requests came since the last call of this."""
        with urllib.request.urlopen(f"{self.url}/count", timeout=60) as answer:
            return int(answer.read())


@contextmanager
def serving(courses: int, learners: int) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.waiting_server", str(courses), str(learners)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.terminate()


class _Lms:
    def __init__(self, courses: int, learners: int) -> None:
        lms = ISpring(World(users=learners, courses=courses, modules=1, blocked=0))
        self.rows = {
            course.id: [{**row, "completionStatus": "in_progress"} for row in lms.course_results(course)]
            for course in lms.courses
        }
        self.whole = {course: json.dumps({"results": rows}).encode() for course, rows in self.rows.items()}
        self.arrived = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                head, *headers = request.decode().split("\r\n")
                length = next((int(h.partition(":")[2]) for h in headers if h.lower().startswith("content-length")), 0)
                await reader.readexactly(length)
                status, body = self._answer(head.split(" ")[1])
                fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"HTTP/1.1 {status} -\r\n{fields}\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, target: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        if url.path == "/count":
            count, self.arrived = self.arrived, 0
            return 200, str(count).encode()
        self.arrived += 1
        if url.path == "/api/v3/token":
            return 200, _TOKEN
        if url.path != "/learners/results":
            return 404, b"{}"
        query = parse_qs(url.query)
        if query["userStatuses[]"] != ["1"]:
            return 200, _NOBODY
        (course,) = query["courseIds[]"]
        users = set(query.get("userIds[]", ()))
        if not users:
            return 200, self.whole[course]
        return 200, json.dumps({"results": [row for row in self.rows[course] if row["userId"] in users]}).encode()


async def _serve(courses: int, learners: int) -> None:
    server = await asyncio.start_server(_Lms(courses, learners).connected, "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
