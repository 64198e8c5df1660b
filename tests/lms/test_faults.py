"""What an LMS can do wrong, over real HTTP: nothing lost, nothing twice, an error that says what to do."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.faults import Fault
from tests.conftest import RESULTS, TOKEN
from tests.rows import delivered, rows

Connect = Callable[..., ISpringLearnClient]
CALL = "GET /learners/modules/results, page 2"


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between tries take no time; the list tells how long they would have been."""
    naps: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=naps.append))
    return naps


def _first_row(change: Callable[[dict[str, Any]], Any]) -> Fault:
    def edit(content: dict[str, Any]) -> dict[str, Any]:
        first = dict(content["results"][0])
        change(first)
        return {**content, "results": [first, *content["results"][1:]]}

    return faults.content(edit)


BROKEN: dict[str, tuple[Fault, type[errors.LmsError], str]] = {
    "a document cut within a row": (
        faults.cut_document(),
        errors.LmsBrokenPage,
        "the body is not well-formed JSON; it may end too early. Nothing of this page was kept.",
    ),
    "a web page with status 200": (
        faults.html_page(),
        errors.LmsBrokenPage,
        "expected JSON or XML, got text/html. Is the connection's host that of the API",
    ),
    "no content type": (faults.body(b"{}", ""), errors.LmsBrokenPage, "got no content type"),
    "an unknown envelope": (
        faults.content(lambda content: {"data": content["results"], "total": 3}),
        errors.LmsBrokenPage,
        "the object has no 'results'; it has data, total.",
    ),
    "a list in place of the envelope": (
        faults.content(lambda content: content["results"]),
        errors.LmsBrokenPage,
        "expected an object with 'results', got a list.",
    ),
    "rows that are no objects": (
        faults.content(lambda content: {"results": ["a"]}),
        errors.LmsBrokenPage,
        "'results' is not a list of objects.",
    ),
    "a token that is no text": (
        faults.content(lambda content: {**content, "nextPageToken": 7}),
        errors.LmsBrokenPage,
        "'nextPageToken' is a number, not text.",
    ),
    "a missing field": (
        _first_row(lambda row: row.pop("moduleId")),
        errors.LmsBrokenPage,
        "row 1 has not the declared shape (Object missing required field `moduleId`)",
    ),
    "a field of another type": (
        _first_row(lambda row: row.update(timeSpent=[1])),
        errors.LmsBrokenPage,
        "row 1, field 'timeSpent' has not the declared shape",
    ),
    "a repeated page token": (
        faults.repeated_token(),
        errors.LmsBrokenPage,
        "it names a page token that was already used, so the listing would never end.",
    ),
    "an entity bomb": (faults.entity_bomb(), errors.LmsBrokenPage, "the XML declares a document type"),
    "an external entity": (
        faults.external_entity("file:///etc/hostname"),
        errors.LmsBrokenPage,
        "the XML declares a document type",
    ),
    "XML cut within a row": (
        faults.body(b"<response><results><result><userId>1</us", "text/xml"),
        errors.LmsBrokenPage,
        "the body is not well-formed XML; it may end too early.",
    ),
    "XML without the list": (
        faults.body(b"<response><rows/></response>", "text/xml"),
        errors.LmsBrokenPage,
        "<response> has no <results>; it has <rows>.",
    ),
    "XML with other rows": (
        faults.body(b"<response><results><row/></results></response>", "text/xml"),
        errors.LmsBrokenPage,
        "<results> should hold <result> only; it has <row>.",
    ),
    "a redirect to another host": (
        faults.redirect("https://elsewhere.example/results?access=1"),
        errors.LmsBrokenPage,
        "HTTP 302, a redirect to elsewhere.example, which was not followed.",
    ),
    "400": (faults.status(400), errors.LmsBadRequest, "HTTP 400. The LMS refused a parameter"),
    "403": (faults.status(403), errors.LmsPermissionError, "HTTP 403. The API key's role may not read this"),
    "404": (faults.status(404), errors.LmsNotFound, "HTTP 404. Check the ids given"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_page_that_is_not_whole_ends_the_listing_with_its_reason(
    lms: Simulator, connect: Connect, fault: str, no_naps: list[float]
) -> None:
    change, kind, message = BROKEN[fault]
    lms.ispring.fail(RESULTS, change, on=2, times=99)
    pages = connect(lms, page_size=20, max_wait=900).module_results()

    first = next(pages)
    with pytest.raises(kind, match=re.escape(message)) as raised:
        next(pages)

    assert len(first.records) == 20
    assert str(raised.value).startswith(CALL)
    assert lms.ispring.count(RESULTS) == 2
    assert no_naps == []
    assert not any(user.id in str(raised.value) for user in lms.ispring.users)


TRANSIENT: dict[str, tuple[Fault, type[errors.LmsError], str]] = {
    "a body that ends early": (
        faults.truncated(),
        errors.LmsTruncatedPage,
        "the connection ended before the body was complete (expected",
    ),
    "a reset within the body": (faults.connection_reset(), errors.LmsTruncatedPage, "the connection ended before"),
    "408": (faults.status(408), errors.LmsUnavailable, "HTTP 408"),
    "500": (faults.status(500), errors.LmsUnavailable, "HTTP 500. The LMS cannot answer at the moment."),
    "502": (faults.status(502), errors.LmsUnavailable, "HTTP 502"),
    "503": (faults.status(503), errors.LmsUnavailable, "HTTP 503"),
    "a slow body": (faults.slow(0.2), errors.LmsUnavailable, "no whole answer within 0.5 s."),
    "429 with seconds": (faults.status(429, Retry_After="30"), errors.LmsRateLimited, "HTTP 429"),
    "429 without a header": (faults.status(429), errors.LmsRateLimited, "HTTP 429"),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_is_tried_again_and_costs_no_row(
    lms: Simulator, connect: Connect, fault: str, no_naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.startswith("429"):
        monkeypatch.setattr("airflow_provider_lms.coordination.SharedBudget.acquire", lambda _: None)
    lms.ispring.fail(RESULTS, TRANSIENT[fault][0], on=2, times=2)
    client = connect(lms, page_size=50, timeout=0.5, max_wait=900)

    assert rows(client.module_results()) == delivered(lms.ispring.module_results())
    assert len(no_naps) == 2


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_lasting_fault_ends_the_listing_when_patience_does(lms: Simulator, connect: Connect, fault: str) -> None:
    change, kind, message = TRANSIENT[fault]
    lms.ispring.fail(RESULTS, change, on=2, times=99)
    pages = connect(lms, page_size=20, timeout=0.5, max_wait=0).module_results()
    next(pages)
    with pytest.raises(kind, match=re.escape(message)) as raised:
        next(pages)
    assert raised.value.transient
    assert str(raised.value).startswith(CALL)
    assert lms.ispring.count(RESULTS) == 2


def test_an_outage_is_waited_for_in_growing_pauses_for_two_minutes(
    lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(monkeypatch)
    lms.ispring.fail(RESULTS, faults.status(503), times=99)
    with pytest.raises(errors.LmsUnavailable):
        list(connect(lms, max_wait=900).module_results())
    assert 90 < sum(clock.naps) <= 120
    assert clock.naps[0] < clock.naps[2] < clock.naps[4]


@pytest.mark.parametrize("header", [{"Retry_After": "30"}, {"Retry_After": None}])
def test_a_rate_limit_is_waited_out_as_long_as_the_lms_asks(
    lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch, header: dict[str, str | None]
) -> None:
    clock = _Clock(monkeypatch)
    asked = header["Retry_After"] or formatdate(time.time() + 30, usegmt=True)
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After=asked), times=3)
    found = rows(connect(lms, max_wait=900).module_results())
    assert found == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 3
    assert all(28 <= nap <= 34 for nap in clock.naps)


@pytest.mark.parametrize("asked", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_rate_limit_that_is_said_to_be_over_is_not_tried_again_at_once(
    lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    clock = _Clock(monkeypatch)
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After=asked), times=2)
    assert rows(connect(lms, max_wait=900).module_results()) == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 2
    assert all(nap >= 1 for nap in clock.naps)


def test_a_rate_limit_without_a_time_closes_the_account_for_lock_seconds(lms: Simulator, connect: Connect) -> None:
    lms.ispring.fail(RESULTS, faults.status(429))
    client = connect(lms)
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(client.module_results())
    assert raised.value.retry_after == 300
    with pytest.raises(errors.LmsRateLimited, match="locked the account, and nobody may send for another 300 s"):
        list(client.module_results())
    assert lms.ispring.count(RESULTS) == 1


def test_a_wait_beyond_max_wait_is_not_begun(lms: Simulator, connect: Connect, no_naps: list[float]) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="901"))
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(connect(lms, max_wait=900).module_results())
    assert raised.value.retry_after == 901
    assert no_naps == []


def test_a_token_revoked_between_pages_is_renewed_once(lms: Simulator, connect: Connect) -> None:
    lms.ispring.revoke_tokens(after_pages=3)
    assert rows(connect(lms, page_size=30).module_results()) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(TOKEN) == 2


def test_a_token_is_renewed_ahead_of_its_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator() as lms:
        clock = _Clock(monkeypatch)
        pages = connect(lms, page_size=10).module_results()
        next(pages)
        clock.now += 1_700
        next(pages)
        assert lms.ispring.count(TOKEN) == 1
        clock.now += 41
        next(pages)
        assert lms.ispring.count(TOKEN) == 2


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    pages = connect(lms, page_size=50).module_results()
    found = rows([next(pages)])
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    assert found + rows(pages) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(TOKEN) == 1


def test_401_with_a_new_token_too_is_an_authentication_error(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.fail(RESULTS, faults.status(401), times=9)
    with pytest.raises(errors.LmsAuthError, match="HTTP 401, with a new access token too"):
        list(client.module_results())
    assert (lms.ispring.count(RESULTS), lms.ispring.count(TOKEN)) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.body(b'{"error":"invalid_client"}'), "HTTP 200, the client id or the client secret is wrong"),
        (faults.body(b'{"error":"said by the server"}'), "HTTP 200, no access token came back"),
        (faults.body(b'{"access_token":""}'), "no access token came back"),
        (faults.body(b"[]"), "no access token came back"),
        (faults.html_page(), "HTTP 200 with text/html in place of a token. Check the connection's host and auth_url."),
        (faults.status(401), "HTTP 401, no access token came back"),
    ],
)
def test_a_token_that_does_not_come_says_what_to_check(
    lms: Simulator, client: ISpringLearnClient, fault: Fault, message: str
) -> None:
    lms.ispring.fail(TOKEN, fault)
    with pytest.raises(errors.LmsAuthError, match=re.escape(message)) as raised:
        list(client.module_results())
    assert "said by" not in str(raised.value)


def test_too_many_token_requests_are_waited_out(
    lms: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(monkeypatch)
    lms.ispring.fail(TOKEN, faults.status(429, Retry_After="20"))
    assert rows(connect(lms, max_wait=60).module_results()) == delivered(lms.ispring.module_results())
    assert [round(nap, -1) for nap in clock.naps] == [20]


def test_a_token_comes_as_xml_too(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.media_types = ("application/xml",)
    assert rows(client.module_results()) == delivered(lms.ispring.module_results())


def test_the_bare_token_is_sent_where_the_connection_says_so(lms: Simulator, connect: Connect) -> None:
    lms.ispring.schemes = ("",)
    assert len(rows(connect(lms, scheme="").module_results())) > 0
    with pytest.raises(errors.LmsAuthError, match="auth_scheme"):
        list(connect(lms).module_results())


def test_a_refused_page_token_is_a_bad_request(lms: Simulator, connect: Connect) -> None:
    pages = connect(lms, page_size=10).module_results()
    next(pages)
    lms.ispring.forget_page_tokens()
    with pytest.raises(errors.LmsBadRequest, match=CALL):
        next(pages)


@pytest.mark.parametrize(
    "body",
    [b'{"results":[]}', b'{"results":null}', b"{}", b"null", b"[]", b'{"nextPageToken":null}', b'{"results":{}}'],
)
def test_an_empty_listing_in_json(lms: Simulator, client: ISpringLearnClient, body: bytes) -> None:
    lms.ispring.fail(RESULTS, faults.body(body))
    assert [(page.records, page.next) for page in client.module_results()] == [([], None)]


@pytest.mark.parametrize(
    "body",
    [
        b"<response><results></results></response>",
        b"<response><results/></response>",
        b"<response/>",
        b"<response><results/><nextPageToken/></response>",
    ],
)
def test_an_empty_listing_in_xml(lms: Simulator, client: ISpringLearnClient, body: bytes) -> None:
    lms.ispring.fail(RESULTS, faults.body(body, "application/xml"))
    assert [(page.records, page.next) for page in client.module_results()] == [([], None)]


def test_an_empty_page_with_a_continuation_goes_on(lms: Simulator, connect: Connect) -> None:
    lms.ispring.fail(RESULTS, faults.content(lambda content: {**content, "results": []}))
    client = connect(lms, page_size=50)
    assert rows(client.module_results()) == delivered(lms.ispring.module_results())[50:]


def test_a_single_object_in_place_of_the_list_is_one_row(lms: Simulator, connect: Connect) -> None:
    single = faults.content(lambda content: {**content, "results": content["results"][0]})
    lms.ispring.fail(RESULTS, single, times=9_999)
    assert rows(connect(lms, page_size=1).module_results()) == delivered(lms.ispring.module_results())


@pytest.mark.parametrize("media_type", ["application/json", "application/xml"])
def test_fields_that_are_new_are_kept(lms: Simulator, connect: Connect, media_type: str) -> None:
    added: dict[str, Any] = {"badge": "gold", "level": {"name": "2", "since": "2026"}}
    new = faults.content(lambda content: {**content, "results": [{**row, **added} for row in content["results"]]})
    lms.ispring.fail(RESULTS, new, on=2)
    found = rows(connect(lms, page_size=50, accept=media_type).module_results())
    expected = delivered(lms.ispring.module_results())
    assert found[:50] == expected[:50]
    assert found[50:100] == [{**row, **added} for row in expected[50:100]]
    assert found[100:] == expected[100:]


@pytest.mark.parametrize(("written", "meant"), [("0", False), ("1", True), (0, False), (1, True), ("true", True)])
def test_booleans_in_every_spelling(lms: Simulator, client: ISpringLearnClient, written: Any, meant: bool) -> None:
    lms.ispring.fail(RESULTS, _first_row(lambda row: row.update(isOverdue=written)))
    assert next(client.module_results()).records[0].is_overdue is meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T23:30:00+03:00", "2026-01-31T20:30:00Z"),
        ("2026-01-31T23:30:00", "2026-01-31T23:30:00Z"),
        ("2026-01-31T23:30:00.5Z", "2026-01-31T23:30:00.500000Z"),
    ],
)
def test_dates_are_delivered_in_utc(lms: Simulator, client: ISpringLearnClient, written: str, meant: str) -> None:
    lms.ispring.fail(RESULTS, _first_row(lambda row: row.update(accessDate=written)))
    assert rows(client.module_results())[0]["accessDate"] == meant


def test_a_body_may_be_compressed_and_a_cut_one_is_noticed(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.fail(RESULTS, faults.compressed())
    assert rows(client.module_results()) == delivered(lms.ispring.module_results())
    lms.ispring.fail(RESULTS, faults.compressed(whole=False))
    with pytest.raises(errors.LmsBrokenPage, match="it may end too early"):
        list(client.module_results())


def test_a_connection_is_used_for_many_pages(lms: Simulator, connect: Connect) -> None:
    list(connect(lms, page_size=20).module_results())
    assert lms.ispring.count(RESULTS) > 10
    assert lms.connections == 1


def test_a_host_that_is_not_there(connect: Connect) -> None:
    with socket.socket() as free, Simulator() as lms:
        free.bind(("127.0.0.1", 0))
        client = connect(lms)
        client._transport.base_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(errors.LmsUnavailable, match=r"no connection to 127\.0\.0\.1 .*Check the connection's host"):
            list(client.module_results())


def test_a_netrc_entry_does_not_replace_the_token(
    lms: Simulator, client: ISpringLearnClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert len(rows(client.module_results())) > 0


def test_no_secret_token_or_learner_is_in_logs_and_errors(
    lms: Simulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for change in (
        faults.cut_document(),
        faults.status(401),
        faults.truncated(),
        _first_row(lambda row: row.pop("userId")),
    ):
        lms.ispring.fail(RESULTS, change, on=2, times=2)
        try:
            list(connect(lms, page_size=20, max_wait=5).module_results())
        except errors.LmsError as error:
            caplog.records.append(logging.makeLogRecord({"msg": f"{error!r}"}))
    said = "\n".join(record.getMessage() for record in caplog.records)
    private = [lms.ispring.client_secret, *lms.ispring.tokens, *(user.id for user in lms.ispring.users)]
    assert "page 2" in said
    assert not [each for each in private if each in said]


class _Clock:
    """Monotonic time that passes by sleeping only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.naps: list[float] = []
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self._sleep, time=time.time)
        for module in ("airflow_provider_lms.coordination.store", "tenacity", "tenacity.nap"):
            monkeypatch.setattr(f"{module}.time", clock)

    def _sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
