"""Certificates as files: each PDF belongs to the dataset whose row names it, and shares its fate."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.lms.errors import LmsFileError
from airflow_provider_lms.operators.datasets import CompareDatasetsOperator
from airflow_provider_lms.operators.ispring import ISpringCertificatesOperator
from airflow_provider_lms.simulator import Simulator, World, faults
from airflow_provider_lms.simulator.files import certificate_path, certificate_pdf
from airflow_provider_lms.simulator.ispring_rows import certificate_of
from airflow_provider_lms.storage import checkpoint as checkpoints
from airflow_provider_lms.storage import read_manifest, read_records
from airflow_provider_lms.storage.attachments import Attachments
from airflow_provider_lms.storage.files import folder
from airflow_provider_lms.storage.parts import PartWriter
from airflow_provider_lms.testing import fake_clock
from tests.operators.test_personal_data import SECRET, digest, set_secret
from tests.storage.formats import need
from tests.storage.place import Place
from tests.storage.test_resume import context
from tests.tasks import execute

ID, FILE = "issuedCertificateId", "downloadedFile"


def operator(place: object, **options: Any) -> ISpringCertificatesOperator:
    given = {"output_path": str(place), "download": True, "max_wait": 0, **options}
    return ISpringCertificatesOperator(task_id="t", **given)


def issued(lms: Simulator) -> list[str]:
    """The ids of all certificates."""
    return [found["issuedCertificateId"] for row in lms.ispring.results() if (found := certificate_of(row))]


def in_order() -> list[str]:
    """The ids of all certificates in the order in which they are read, which only the account's secret tells."""
    return [row[ID] for row in execute(ISpringCertificatesOperator(task_id="t"))]


def get(certificate_id: str) -> str:
    return f"GET {certificate_path(certificate_id)}"


def pdfs(place: Place) -> set[str]:
    return {each.name for each in place.iterdir() if ".pdf" in each.name}


def attached(place: Place) -> set[str]:
    """The files that the manifest names."""
    return {each["name"] for part in read_manifest(str(place))["files"] for each in part["attachments"]}


def contents(place: Place) -> dict[str, bytes]:
    """What each certificate's row leads to."""
    return {row[ID]: (place / row[FILE]).read_bytes() for row in read_records(str(place))}


def expected(lms: Simulator) -> dict[str, bytes]:
    return {each: certificate_pdf(each) for each in issued(lms)}


def fetched(lms: Simulator) -> Counter[str]:
    """How often each file was asked for."""
    return Counter(request.call for request in lms.files.requests)


@pytest.mark.parametrize("output_format", ["jsonl", "csv", "parquet"])
def test_each_row_names_the_file_of_its_certificate(lms: Simulator, place: Place, output_format: Any) -> None:
    need(output_format, None)
    summary = execute(operator(place, output_format=output_format))
    assert contents(place) == expected(lms)
    assert summary["records"] == len(issued(lms)) == 10
    assert [row.keys() for row in read_records(summary)] == [{ID, FILE}] * 10
    (part,) = read_manifest(str(place))["files"]
    for each in part["attachments"]:
        content = (place / each["name"]).read_bytes()
        assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert attached(place) == pdfs(place)
    assert read_manifest(str(place))["query"] == {"download": True}


def test_a_dataset_in_an_object_store_has_its_files_there(lms: Simulator, in_store: Place) -> None:
    lms.files.fail(get(in_order()[6]), faults.status(404))
    with pytest.raises(LmsFileError):
        execute(operator(in_store, part_bytes=2_000), context(1))
    execute(operator(in_store, part_bytes=2_000), context(2))
    assert contents(in_store) == expected(lms)
    assert attached(in_store) == pdfs(in_store)
    assert {*fetched(lms).values()} == {1, 2}
    for _ in range(2):
        execute(operator(in_store))
    assert len(pdfs(in_store)) == 20


def test_files_may_be_on_another_host_which_gets_no_credential(lms: Simulator, place: Place) -> None:
    with Simulator() as elsewhere:
        lms.ispring.files_url = elsewhere.url
        execute(operator(place))
    assert contents(place) == expected(lms)
    assert not lms.files.requests
    for request in elsewhere.files.requests:
        assert not {"authorization", "cookie"} & request.headers.keys()


def test_without_download_no_file_is_fetched(lms: Simulator, place: Place) -> None:
    rows = list(read_records(execute(operator(place, download=False))))
    assert {row["url"] for row in rows} == {lms.url + certificate_path(each) for each in issued(lms)}
    assert {row[FILE] for row in rows} == {None}
    assert not lms.files.requests
    assert not pdfs(place)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_path": None}, "download: the files need a folder. Set output_path"),
        ({"download": "yes"}, "download: expected False or True, got 'yes'"),
        ({"columns": [ID]}, "download: nobody could find the files without the column 'downloadedFile'"),
        ({"drop_columns": [FILE]}, "download: nobody could find the files without"),
        ({"hash_columns": [FILE]}, "download: nobody could find the files without"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_first_request(
    lms: Simulator, place: Place, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        execute(operator(place, **options))
    assert not lms.ispring.requests


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({"drop_columns": ID}, {FILE}),
        ({"columns": [FILE, "url"]}, {FILE, "url"}),
        ({"columns": [ID, FILE]}, {ID, FILE}),
        ({"hash_columns": ["url"]}, {ID, FILE, "url"}),
    ],
)
def test_columns_can_be_chosen(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], columns: set[str]
) -> None:
    set_secret(lms, monkeypatch, SECRET)
    rows = list(read_records(execute(operator(place, **options))))
    assert [row.keys() for row in rows] == [columns] * 10
    assert {(place / row[FILE]).read_bytes() for row in rows} == set(expected(lms).values())


def test_the_name_of_a_file_does_not_give_away_an_id_that_is_hashed(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_secret(lms, monkeypatch, SECRET)
    execute(operator(place, hash_columns=[ID]))
    assert {row[ID] for row in read_records(str(place))} == set(map(digest, issued(lms)))
    written = "".join(f"{each.name}\n" + ("" if ".pdf" in each.name else each.read_text()) for each in place.iterdir())
    assert not [each for each in issued(lms) if each in written]


def test_a_failure_keeps_what_is_finished_and_a_retry_fetches_the_rest(lms: Simulator, place: Place) -> None:
    execute(operator(place))
    before = pdfs(place)
    lms.files.requests.clear()
    missing = in_order()[6]
    lms.files.fail(get(missing), faults.status(404))
    with pytest.raises(LmsFileError, match=missing):
        execute(operator(place), context(1))
    assert attached(place) == before, "the dataset before is kept"
    found = checkpoints.find(folder("output_path", str(place)))
    assert found is not None
    kept = {each.name for part in found.files for each in part.attachments}
    assert len(kept) == 6
    assert pdfs(place) == before | kept
    execute(operator(place), context(2))
    assert contents(place) == expected(lms)
    assert attached(place) > kept
    assert pdfs(place) == before | attached(place)
    assert fetched(lms) == {get(each): 2 if each == missing else 1 for each in issued(lms)}


def kept_files(place: Place) -> set[str]:
    """The files that the checkpoint names."""
    found = checkpoints.find(folder("output_path", str(place)))
    return {each.name for part in (found.files if found else []) for each in part.attachments}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left")])
def test_if_reading_ends_the_files_of_what_was_read_are_kept(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    add = Attachments.add

    def fails(self: Attachments, content: Any) -> str:
        if len(self.names) == 5:
            raise error
        return add(self, content)

    monkeypatch.setattr(Attachments, "add", fails)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        execute(operator(place, max_wait=60), context(1))
    # What is not the LMS's fault is no outage of the LMS, and is not tried again.
    assert fetched(lms)[get(in_order()[5])] == 1
    assert pdfs(place) == kept_files(place)
    assert len(pdfs(place)) == 5


def test_files_whose_rows_are_in_no_finished_part_are_removed(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = PartWriter.add

    def fails(self: PartWriter, page: Any) -> None:
        if self.pages == 5:
            raise KeyboardInterrupt
        add(self, page)

    monkeypatch.setattr(PartWriter, "add", fails)
    with pytest.raises(KeyboardInterrupt):
        execute(operator(place), context(1))
    assert sum(fetched(lms).values()) >= 5
    assert pdfs(place) == kept_files(place) == set()


def test_a_part_is_full_when_its_files_are(lms: Simulator, place: Place) -> None:
    one = len(certificate_pdf(issued(lms)[0]))
    summary = execute(operator(place, part_bytes=2 * one))
    assert [file["records"] for file in summary["files"]] == [2] * 5


def test_files_are_removed_one_dataset_later_as_parts_are(lms: Simulator, place: Place) -> None:
    generations = []
    for _ in range(3):
        execute(operator(place))
        generations.append(attached(place))
    first, second, third = generations
    assert not first & second
    assert pdfs(place) == second | third


def test_files_that_another_task_took_for_abandoned_are_kept_when_they_are_committed_after_all(
    lms: Simulator, place: Place
) -> None:
    lms.files.fail(get(in_order()[6]), faults.status(404))
    with pytest.raises(LmsFileError):
        execute(operator(place), context(1))
    execute(operator(place))  # another task, which plans to remove what the first one has left
    execute(operator(place), context(2))
    assert contents(place) == expected(lms)


def test_files_of_a_task_that_never_came_back_are_removed_two_datasets_later(lms: Simulator, place: Place) -> None:
    lms.files.fail(get(in_order()[6]), faults.status(404))
    with pytest.raises(LmsFileError):
        execute(operator(place), context(1))
    abandoned = pdfs(place)
    execute(operator(place))
    assert len(abandoned) == 6
    assert pdfs(place) == abandoned | attached(place)
    execute(operator(place))
    assert not pdfs(place) & abandoned


def test_files_that_a_checkpoint_names_are_not_taken_for_leftovers(
    lms: Simulator, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lms.files.fail(get(in_order()[6]), faults.status(404))
    add = Attachments.add

    def meanwhile(self: Attachments, content: Any) -> str:
        monkeypatch.setattr(Attachments, "add", add)
        with pytest.raises(LmsFileError):
            execute(operator(place), context(1))
        clock.advance(checkpoints.LIFETIME.total_seconds() + 300)
        return add(self, content)

    monkeypatch.setattr(Attachments, "add", meanwhile)
    with fake_clock() as clock:
        execute(operator(place, part_seconds=1e9))  # has no checkpoint of its own
    found = checkpoints.find(folder("output_path", str(place)))
    assert found is not None
    assert {name for part in found.files for name in part.names} <= {each.name for each in place.iterdir()}
    assert sum(len(part.attachments) for part in found.files) == 6


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_where_a_file_is_not_complete_everything_is_read_again(lms: Simulator, place: Place, damage: str) -> None:
    lms.files.fail(get(in_order()[6]), faults.status(404))
    with pytest.raises(LmsFileError):
        execute(operator(place), context(1))
    name = sorted(pdfs(place))[2]
    if damage == "removed":
        (place / name).unlink()
    else:
        (place / name).write_bytes(b"%PDF-")
    execute(operator(place), context(2))
    assert contents(place) == expected(lms)
    assert not attached(place) & {name}


def test_a_dataset_without_files_is_not_resumed_with_them(lms: Simulator, place: Place) -> None:
    lms.ispring.fail(f"GET /certificate/{in_order()[4]}", faults.status(403))
    options: dict[str, Any] = {"columns": [ID, FILE]}
    with pytest.raises(Exception, match="HTTP 403"):
        execute(operator(place, download=False, **options), context(1))
    execute(operator(place, **options), context(2))
    assert contents(place) == expected(lms)


def test_only_the_contents_of_files_are_compared(lms: Simulator, place: Place) -> None:
    earlier, later = place / "earlier", place / "later"
    execute(operator(earlier))
    lms.files.fail(get(in_order()[3]), faults.body(b"%PDF-1.4 another"))
    execute(operator(later))
    result = CompareDatasetsOperator(task_id="t", previous=str(earlier), current=str(later)).execute({})
    assert result["counts"] == {"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 9, "not_read": 0}


EXTRACT = """
import sys
from types import SimpleNamespace
from airflow_provider_lms.operators.ispring import ISpringCertificatesOperator
ti = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1, try_number=int(sys.argv[2]))
operator = ISpringCertificatesOperator(task_id="t", output_path=sys.argv[1], download=True, part_bytes=2_000)
operator.execute({"ti": ti})
"""


@pytest.mark.processes
def test_a_worker_that_is_killed_loses_no_file(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LMS__COORDINATION_URL", (tmp_path.parent / f"{tmp_path.name}.sqlite").as_uri())
    with Simulator(World(users=200, courses=3), latency=0.01) as lms:
        monkeypatch.setenv("AIRFLOW_CONN_ISPRING_LEARN_DEFAULT", json.dumps(lms.connection()))
        for number, files in enumerate((14, None), start=1):
            sent = len(lms.files.requests)
            with subprocess.Popen([sys.executable, "-c", EXTRACT, str(place), str(number)]) as worker:
                while files is not None and len(lms.files.requests) < sent + files:
                    assert worker.poll() is None
                    time.sleep(0.005)
                if files is not None:
                    worker.kill()
        assert worker.returncode == 0
        assert contents(place) == expected(lms)
        # A part is full with four files, and a kill costs at most one part and the files under way.
        assert len(lms.files.requests) <= len(issued(lms)) + 6
        orphans = pdfs(place) - attached(place)
        with fake_clock() as clock:
            clock.advance(checkpoints.LIFETIME.total_seconds() + 300)
            execute(operator(place))
    assert not pdfs(place) & orphans
