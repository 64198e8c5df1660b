"""The link from a task to the folder of its dataset."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.links.dataset import DatasetLink, console_url
from airflow_provider_lms.operators import base
from airflow_provider_lms.operators.ispring import ISpringCourseResultsOperator
from airflow_provider_lms.operators.zoho_people import ZohoPeopleCoursesOperator
from airflow_provider_lms.simulator import Simulator
from tests.tasks import execute


def folder(protocol: str, path: str, **fs: Any) -> Any:
    return SimpleNamespace(protocol=protocol, path=path, fs=SimpleNamespace(**fs))


@pytest.mark.parametrize(
    ("directory", "url"),
    [
        (
            folder("s3", "lake/lms/a b", client_kwargs={}),
            "https://s3.console.aws.amazon.com/s3/buckets/lake?prefix=lms/a%20b/",
        ),
        (folder("s3", "lake/lms", client_kwargs={"endpoint_url": "http://minio:9000"}), None),
        (folder("s3", "lake/lms", client_kwargs={}, endpoint_url="http://minio:9000"), None),
        (folder("gs", "lake/lms"), "https://console.cloud.google.com/storage/browser/lake/lms"),
        (folder("abfs", "lake/lms"), None),
        (folder("file", "/data/lms"), None),
    ],
)
def test_a_folder_has_an_address_where_its_uri_tells_it(directory: Any, url: str | None) -> None:
    assert console_url(directory) == url


@pytest.fixture
def pushed() -> dict[str, str]:
    """What is pushed to XCom in ``context``."""
    return {}


@pytest.fixture
def context(pushed: dict[str, str]) -> Any:
    ti = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=1)
    ti.xcom_push = lambda key, value: pushed.update({key: value})
    return {"ti": ti}


def test_every_operator_pushes_the_address(
    lms: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Any, pushed: dict[str, str]
) -> None:
    monkeypatch.setattr(base, "console_url", lambda directory: f"https://console.test{directory.path}")
    task = ZohoPeopleCoursesOperator(task_id="t", output_path=str(tmp_path))
    assert [type(each) for each in task.operator_extra_links] == [DatasetLink]
    execute(task, context)
    assert pushed == {"_link_DatasetLink": f"https://console.test{tmp_path}"}

    execute(ZohoPeopleCoursesOperator(task_id="t"), context)
    assert pushed == {"_link_DatasetLink": ""}


def test_a_task_that_fails_has_empty_links(
    lms: Simulator, tmp_path: Path, context: Any, pushed: dict[str, str]
) -> None:
    task = ISpringCourseResultsOperator(task_id="t", course_ids="Fire safety 1", output_path=str(tmp_path))
    with pytest.raises(ValueError, match="is a name"):
        execute(task, context)
    assert pushed == {"_link_DatasetLink": "", "_link_CourseLink": ""}
