from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

import pytest

from airflow_provider_lms.command_line.commands import main

PROGRAM = "python -m airflow_provider_lms"


class Result(NamedTuple):
    """What a command has shown, and how it has ended."""

    code: int
    out: str
    err: str


Shell = Callable[[str], Result]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Carries out a command as a shell does, in this process. What is shown is 100 characters wide.

    The words ``python -m airflow_provider_lms`` are optional.
    """
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> Result:
        capsys.readouterr()
        try:
            code = main(shlex.split(line.removeprefix(PROGRAM)))
        except SystemExit as end:  # of argparse
            code = int(end.code or 0)
        shown = capsys.readouterr()
        return Result(code, shown.out, shown.err)

    return run
