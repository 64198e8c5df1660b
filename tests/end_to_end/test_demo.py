"""``make demo``: what it shows, and that nothing of it is left when it is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCourseProgressOperator
from airflow_provider_lms.simulator import Simulator
from dev import demo
from dev.standalone import processes_of

ROOT = Path(__file__).parents[2]


def test_every_dataset_is_listed(lms: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {}
    for course in lms.ispring.courses:
        folder = tmp_path / "ispring_results" / f"course={course.id}"
        operator = ISpringModuleResultsOperator(task_id="t", course_ids=course.id, output_path=str(folder))
        written[folder] = operator.execute({})
    folder = tmp_path / "zoho_people_progress"
    course_id = lms.zoho.courses[0].id
    written[folder] = ZohoPeopleCourseProgressOperator(
        task_id="t", course_id=course_id, output_path=str(folder)
    ).execute({})
    demo.show(tmp_path)
    printed = capsys.readouterr().out
    for folder, summary in written.items():
        assert isinstance(summary, dict)
        (file,) = summary["files"]
        assert f"{folder}: {summary['records']:,} rows, {file['bytes']:,} bytes in 1 file\n" in printed


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("sign", "moment"), [(signal.SIGTERM, "Airflow starts"), (signal.SIGINT, "module_results running")]
)
def test_a_demo_that_is_stopped_leaves_nothing_running(sign: signal.Signals, moment: str, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "dev.demo", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if moment in line:
                    break
            while not processes_of(tmp_path / "airflow"):
                assert process.poll() is None
            process.send_signal(sign)
            process.send_signal(sign)  # people press Ctrl-C twice
            rest = process.stdout.read()
            assert process.wait(60) == 130
            assert "Stopped. Nothing is left running." in rest
            assert "Traceback" not in rest
            assert processes_of(tmp_path / "airflow") == []
        finally:
            process.kill()
            for each in processes_of(tmp_path / "airflow"):
                with suppress(psutil.Error):
                    each.kill()


def test_what_to_look_at_next_is_there() -> None:
    for line in demo.NEXT.splitlines():
        words = line.split()
        if words and "/" in words[0]:
            assert (ROOT / words[0]).exists()
        if words[:1] == ["make"]:
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
