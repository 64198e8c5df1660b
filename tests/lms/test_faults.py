"""What an LMS can do wrong, over real HTTP: nothing lost, nothing twice, an error that says what to do."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.clock import timestamp
from airflow_provider_lms.lms import errors
from airflow_provider_lms.lms.http.retry import RetryPolicy
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.simulator import Simulator, faults
from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.faults import Fault
from airflow_provider_lms.testing import FakeClock, fake_clock
from tests.conftest import RESULTS, TOKEN
from tests.rows import delivered, rows

Connect = Callable[..., ISpringLearnClient]
CALL = "GET /learners/modules/results, page 2"


@pytest.fixture(autouse=True)
def clock() -> Iterator[FakeClock]:
    """Pauses take no time; ``naps`` tells how long they would have been."""
    with fake_clock() as found:
        yield found


def _first_row(change: Callable[[dict[str, Any]], Any]) -> Fault:
    def edit(content: dict[str, Any]) -> dict[str, Any]:
        first = dict(content["results"][0])
        change(first)
        return {**content, "results": [first, *content["results"][1:]]}

    return faults.content(edit)


BROKEN: dict[str, tuple[Fault, type[errors.LmsError], str]] = {
    "a document cut within a row": (
        faults.cut_document(),
        errors.LmsGarbledResponse,
        "the body is not well-formed JSON. Nothing from this page was kept.",
    ),
    "a web page with status 200": (
        faults.html_page(),
        errors.LmsGarbledResponse,
        "expected JSON or XML, got a web page (text/html). Is the connection's host that of the API",
    ),
    "no content type": (faults.body(b"Sign in", ""), errors.LmsGarbledResponse, "got neither (no content type)"),
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
        "'nextPageToken' is not text.",
    ),
    "a missing field": (
        _first_row(lambda row: row.pop("moduleId")),
        errors.LmsBrokenPage,
        "row 1 does not have the declared shape (Object missing required field `moduleId`)",
    ),
    "a field of another type": (
        _first_row(lambda row: row.update(completionStatus=[1])),
        errors.LmsBrokenPage,
        "row 1, field 'completionStatus', does not have the declared shape",
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
        errors.LmsGarbledResponse,
        "the body is not well-formed XML.",
    ),
    "XML without the list": (
        faults.body(b"<response><rows/></response>", "text/xml"),
        errors.LmsBrokenPage,
        "the object has no 'results'; it has rows.",
    ),
    "XML with other rows": (
        faults.body(b"<response><results><row/></results></response>", "text/xml"),
        errors.LmsBrokenPage,
        "<results> should hold <result> only; it has <row>.",
    ),
    "a redirect to another host": (
        faults.redirect("https://elsewhere.example/results?access=1"),
        errors.LmsGarbledResponse,
        "HTTP 302: a redirect to elsewhere.example, which was not followed.",
    ),
    "400": (faults.status(400), errors.LmsBadRequest, "HTTP 400. The LMS rejected a parameter"),
    "403": (faults.status(403), errors.LmsPermissionError, "HTTP 403. The connection's account may not do this"),
    "404": (faults.status(404), errors.LmsNotFound, "HTTP 404. Check the ids, and the connection's host and path."),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_page_that_is_not_whole_ends_the_listing_with_its_reason(
    lms: Simulator, connect: Connect, fault: str, clock: FakeClock
) -> None:
    change, kind, message = BROKEN[fault]
    lms.ispring.fail(RESULTS, change, on=2, times=99)
    pages = connect(lms, page_size=20, max_wait=900).module_results()

    first = next(pages)
    with pytest.raises(kind, match=re.escape(message)) as raised:
        next(pages)

    assert len(first.records) == 20
    assert str(raised.value).startswith(CALL)
    # What is not the LMS's own response may be an outage, so it is tried again for a while.
    is_tried_again = kind is errors.LmsGarbledResponse
    assert (lms.ispring.count(RESULTS) > 2) is is_tried_again
    assert bool(clock.naps) is is_tried_again
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
    "a slow body": (faults.slow(0.2), errors.LmsUnavailable, "no complete response within 0.5 s."),
    "429 with seconds": (faults.status(429, Retry_After="30"), errors.LmsRateLimited, "HTTP 429"),
    "429 without a header": (faults.status(429), errors.LmsRateLimited, "HTTP 429"),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_is_tried_again_and_costs_no_row(
    lms: Simulator, connect: Connect, fault: str, clock: FakeClock
) -> None:
    lms.ispring.fail(RESULTS, TRANSIENT[fault][0], on=2, times=2)
    client = connect(lms, page_size=50, timeout=0.5, max_wait=900)

    assert rows(client.module_results()) == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 2


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


def test_an_outage_is_waited_for_in_growing_pauses_for_two_minutes(
    lms: Simulator, connect: Connect, clock: FakeClock
) -> None:
    lms.ispring.fail(RESULTS, faults.status(503), times=99)
    with pytest.raises(errors.LmsUnavailable):
        list(connect(lms, max_wait=900).module_results())
    assert 90 < sum(clock.naps) <= 120
    assert clock.naps[0] < clock.naps[2] < clock.naps[4]


def _until_a_date(request: Request, reply: Reply) -> Reply:
    """HTTP 429, with the date that is 30 seconds away by then."""
    return faults.status(429, Retry_After=formatdate(timestamp() + 30, usegmt=True))(request, reply)


@pytest.mark.parametrize("fault", [faults.status(429, Retry_After="30"), _until_a_date], ids=["seconds", "a date"])
def test_a_rate_limit_is_waited_out_as_long_as_the_lms_asks(
    lms: Simulator, connect: Connect, clock: FakeClock, fault: Fault
) -> None:
    lms.ispring.fail(RESULTS, fault, times=3)
    found = rows(connect(lms, max_wait=900).module_results())
    assert found == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 3
    assert all(28 <= nap <= 34 for nap in clock.naps)


@pytest.mark.parametrize("asked", ["0", "0.0", "a minute ago"])
def test_a_rate_limit_that_is_said_to_be_over_is_not_tried_again_at_once(
    lms: Simulator, connect: Connect, clock: FakeClock, asked: str
) -> None:
    asked = formatdate(timestamp() - 60, usegmt=True) if asked == "a minute ago" else asked
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After=asked), times=2)
    assert rows(connect(lms, max_wait=900).module_results()) == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 2
    assert all(1 <= nap < 2 for nap in clock.naps)


def test_a_rate_limit_without_a_time_closes_the_account_for_lock_seconds(lms: Simulator, connect: Connect) -> None:
    lms.ispring.fail(RESULTS, faults.status(429))
    client = connect(lms)
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(client.module_results())
    assert raised.value.retry_after == 300
    with pytest.raises(
        errors.LmsRateLimited, match="locked the account, and no task may send requests for another 300 s"
    ):
        list(client.module_results())
    assert lms.ispring.count(RESULTS) == 1


@pytest.mark.parametrize(
    "asked",
    [
        "9" * 400,
        "1764000000",
        "1764000000000",
        "300000",
        "86401",
        "86400.5",
        "-5",
        "-0",
        "1e3",
        "1_000",
        "30, 30",
        "0x10",
        "30 s",
        "2026-01-01T00:00:00Z",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "\u00b2",
        "nan",
        "inf",
        "-",
        "Wed, 99 Oct 2015 07:28:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_a_retry_after_that_makes_no_sense_counts_as_not_given(
    lms: Simulator, connect: Connect, asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After=asked))
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(connect(lms).module_results())
    assert raised.value.retry_after == 300
    assert "Ignoring the Retry-After header" in caplog.text


def test_a_retry_after_may_be_a_fraction(lms: Simulator, connect: Connect) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="12.5"))
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(connect(lms).module_results())
    assert raised.value.retry_after == 12.5


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("asked", ["45", "200.5"])
def test_an_outage_is_waited_out_as_long_as_the_lms_asks(
    lms: Simulator, connect: Connect, clock: FakeClock, status: int, asked: str
) -> None:
    lms.ispring.fail(RESULTS, faults.status(status, Retry_After=asked), times=3)
    assert rows(connect(lms, max_wait=900).module_results()) == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 3
    assert all(float(asked) <= nap <= float(asked) + 6 for nap in clock.naps)


def test_an_outage_that_the_lms_says_is_longer_than_max_wait_is_not_waited_for(
    lms: Simulator, connect: Connect, clock: FakeClock
) -> None:
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After="1000"), times=9)
    with pytest.raises(errors.LmsUnavailable) as raised:
        list(connect(lms, max_wait=900).module_results())
    assert (raised.value.retry_after, clock.naps) == (1000, [])


def test_outages_with_a_time_end_at_max_wait_too(lms: Simulator, connect: Connect, clock: FakeClock) -> None:
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After="100"), times=99)
    with pytest.raises(errors.LmsUnavailable):
        list(connect(lms, max_wait=900).module_results())
    assert 700 < sum(clock.naps) <= 900


@pytest.mark.parametrize("asked", ["9" * 400, "-3", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_outage_with_a_time_that_makes_no_sense_is_waited_for_in_growing_pauses(
    lms: Simulator, connect: Connect, clock: FakeClock, asked: str
) -> None:
    lms.ispring.fail(RESULTS, faults.status(503, Retry_After=asked), times=3)
    assert rows(connect(lms, max_wait=900).module_results()) == delivered(lms.ispring.module_results())
    assert len(clock.naps) == 3
    assert sum(clock.naps) < 10


def test_an_outage_of_the_token_endpoint_is_waited_out_as_long_as_it_asks(
    lms: Simulator, connect: Connect, clock: FakeClock
) -> None:
    lms.ispring.fail(TOKEN, faults.status(503, Retry_After="200"))
    assert rows(connect(lms, max_wait=900).module_results()) == delivered(lms.ispring.module_results())
    assert [200 <= nap <= 206 for nap in clock.naps] == [True]


def test_an_outage_counts_from_its_first_error_and_not_from_a_limit_before_it(clock: FakeClock) -> None:
    outcomes = [
        errors.LmsRateLimited("locked", 429, 100.0),
        errors.LmsUnavailable("away", 503),
        errors.LmsUnavailable("away", 503),
        errors.LmsRateLimited("locked", 429, 100.0),
        errors.LmsUnavailable("away", 503),
    ]

    def attempt() -> str:
        if outcomes:
            raise outcomes.pop(0)
        return "a page"

    assert RetryPolicy(outage_seconds=15).run(attempt) == "a page"
    assert sum(clock.naps) > 200


def test_an_outage_that_lasts_is_given_up(clock: FakeClock) -> None:
    def attempt() -> None:
        clock.advance(10)
        raise errors.LmsUnavailable("away", 503)

    with pytest.raises(errors.LmsUnavailable):
        RetryPolicy(outage_seconds=15).run(attempt)
    assert len(clock.naps) == 2


def test_a_wait_beyond_max_wait_is_not_begun(lms: Simulator, connect: Connect, clock: FakeClock) -> None:
    lms.ispring.fail(RESULTS, faults.status(429, Retry_After="901"))
    with pytest.raises(errors.LmsRateLimited) as raised:
        list(connect(lms, max_wait=900).module_results())
    assert raised.value.retry_after == 901
    assert clock.naps == []


def test_a_token_revoked_between_pages_is_renewed_once(lms: Simulator, connect: Connect) -> None:
    lms.ispring.revoke_tokens(after_pages=3)
    assert rows(connect(lms, page_size=30).module_results()) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(TOKEN) == 2


def test_a_token_is_renewed_ahead_of_its_end(connect: Connect, clock: FakeClock) -> None:
    with Simulator() as lms:
        pages = connect(lms, page_size=10).module_results()
        next(pages)
        clock.advance(1_700)
        next(pages)
        assert lms.ispring.count(TOKEN) == 1
        clock.advance(41)
        next(pages)
        assert lms.ispring.count(TOKEN) == 2


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(lms: Simulator, connect: Connect, clock: FakeClock, jump: int) -> None:
    pages = connect(lms, page_size=50).module_results()
    found = rows([next(pages)])
    clock.jump(jump)
    assert found + rows(pages) == delivered(lms.ispring.module_results())
    assert lms.ispring.count(TOKEN) == 1


def test_401_with_a_new_token_too_is_an_authentication_error(lms: Simulator, client: ISpringLearnClient) -> None:
    lms.ispring.fail(RESULTS, faults.status(401), times=9)
    with pytest.raises(errors.LmsAuthError, match="HTTP 401, even with a new access token"):
        list(client.module_results())
    assert (lms.ispring.count(RESULTS), lms.ispring.count(TOKEN)) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.body(b'{"error":"invalid_client"}'), "HTTP 200, the client ID or the client secret is wrong"),
        (faults.body(b'{"error":"said by the server"}'), "HTTP 200, the response has no access token"),
        (faults.body(b'{"access_token":""}'), "the response has no access token"),
        (faults.body(b"[]"), "the response has no access token"),
        (faults.html_page(), "HTTP 200 with text/html instead of a token. Check the connection's host and auth_url."),
        (faults.status(401), "HTTP 401, the response has no access token"),
    ],
)
def test_a_token_that_does_not_come_says_what_to_check(
    lms: Simulator, client: ISpringLearnClient, fault: Fault, message: str
) -> None:
    lms.ispring.fail(TOKEN, fault, times=99)
    with pytest.raises((errors.LmsAuthError, errors.LmsGarbledResponse), match=re.escape(message)) as raised:
        list(client.module_results())
    assert "said by" not in str(raised.value)


def test_too_many_token_requests_are_waited_out(lms: Simulator, connect: Connect, clock: FakeClock) -> None:
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


def test_a_rejected_page_token_is_a_bad_request(lms: Simulator, connect: Connect) -> None:
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


@pytest.mark.parametrize("written_as", ["application/json", "application/xml"])
@pytest.mark.parametrize("media_type", ["text/html", "text/plain", ""])
def test_the_content_decides_whatever_content_type_a_page_has(
    lms: Simulator, connect: Connect, written_as: str, media_type: str
) -> None:
    def relabel(_: Request, reply: Reply) -> Reply:
        return replace(reply, raw=reply.body(), media_type=media_type)

    lms.ispring.media_types = (written_as,)
    lms.ispring.fail(RESULTS, relabel, times=99)
    assert rows(connect(lms, page_size=50).module_results()) == delivered(lms.ispring.module_results())


def test_after_an_empty_page_with_a_continuation_reading_continues(lms: Simulator, connect: Connect) -> None:
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
def test_booleans_in_every_spelling(
    lms: Simulator, client: ISpringLearnClient, written: str | int, meant: bool
) -> None:
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
    with pytest.raises(errors.LmsTruncatedPage, match="the compressed body ends too early"):
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
    lms: Simulator, client: ISpringLearnClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
