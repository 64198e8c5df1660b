"""Datasets on a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_lms.operators.ispring import ISpringModuleResultsOperator
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.storage import read_manifest, read_records
from tests.conftest import RESULTS
from tests.rows import delivered, present

pytestmark = pytest.mark.s3


def _operator(output: str, **options: Any) -> ISpringModuleResultsOperator:
    return ISpringModuleResultsOperator(task_id="t", output_path=output, page_size=50, max_wait=0, **options)


def _objects(bucket: Any, output: str) -> set[str]:
    bucket.invalidate_cache()
    return {name.rpartition("/")[2] for name in bucket.find(output.partition("@")[2])}


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"output_format": "csv", "compression": "zstd"}])
def test_a_dataset_is_written_and_read_by_its_url(lms: Simulator, output: str, options: dict[str, Any]) -> None:
    summary = _operator(output, part_bytes=30_000, **options).execute({})
    assert summary["uri"] == output
    assert len(summary["files"]) > (0 if options else 2)
    assert read_manifest(summary["manifest"])["records"] == summary["records"]
    for source in (output, summary, [summary]):
        assert present(read_records(source)) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize("part_bytes", [1, 10_000_000])
def test_a_failure_leaves_the_dataset_before_and_the_retry_goes_on(
    lms: Simulator, bucket: Any, output: str, part_bytes: int
) -> None:
    _operator(output, completion_statuses="passed").execute({})
    before, sent = _objects(bucket, output), lms.ispring.count(RESULTS)
    lms.ispring.fail(RESULTS, faults.cut_document(), on=3)
    with pytest.raises(Exception, match="page 3: the body is not well-formed"):
        _operator(output, part_bytes=part_bytes).execute({})
    parts = {1: 2, 10_000_000: 1}[part_bytes]
    assert len(_objects(bucket, output) - before) == parts + 1
    assert {record["completionStatus"] for record in read_records(output)} == {"passed"}

    summary = _operator(output, part_bytes=part_bytes).execute({})
    assert present(read_records(summary)) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(RESULTS) - sent == summary["pages"] + 1
    assert "_checkpoint.json" not in _objects(bucket, output)


def test_the_generation_before_stays_until_the_next(lms: Simulator, bucket: Any, output: str) -> None:
    names = [{file["uri"].rpartition("/")[2] for file in _operator(output).execute({})["files"]} for _ in range(3)]
    assert _objects(bucket, output) == {"_manifest.json"} | names[1] | names[2]
