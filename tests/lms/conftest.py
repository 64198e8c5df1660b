"""What several tests of this folder need."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.certificates import server_with_certificate


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate, which requests trusts for this test."""
    path = tmp_path / "server.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    return server_with_certificate(path)
