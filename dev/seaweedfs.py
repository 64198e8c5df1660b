"""SeaweedFS: a real S3 server on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from dev.standalone import free_ports


class SeaweedFS:
    """How to start an S3 server on free ports, and how to connect to it.

    ``command`` starts it, ``url`` is its endpoint, and ``connection`` is an Airflow connection of a user who may use
    the bucket. Only the user of ``ADMIN`` may make it.

    :param folder: for its files.
    :param program: the program ``weed``.
    :param bucket: the bucket that the user of ``connection`` may use.
    """

    ADMIN: ClassVar = {"key": "admin", "secret": "admin-secret"}

    def __init__(self, folder: Path, program: str, bucket: str) -> None:
        servers = ("s3", "master", "volume", "filer")
        names = [f"{server}.port{protocol}" for protocol in ("", ".grpc") for server in servers]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        # A user who may do everything would create a missing bucket by writing to it.
        allowed = {"admin": ["Admin"], "any": [f"{action}:{bucket}" for action in ("Read", "Write", "List", "Tagging")]}
        identities = [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": f"{name}-secret"}], "actions": actions}
            for name, actions in allowed.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        self.command = [
            program, "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=20",
            f"-s3.config={folder / 's3.json'}", *(f"-{name}={port}" for name, port in ports.items()),
            # These have fixed ports, so a second server would fail.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip
        self.url = f"http://127.0.0.1:{ports['s3.port']}"
        self.connection: dict[str, Any] = {
            "conn_type": "aws",
            "login": "any",
            "password": "any-secret",
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }
