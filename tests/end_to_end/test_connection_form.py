"""The connection forms in the UI of each Airflow, in a real browser.

``LMS_FORMS="2.11 3.1"`` names other Airflows than the one of this environment, as ``dev/matrix.py`` does.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.connections.ispring import ISPRING_LEARN
from airflow_provider_lms.connections.zoho_people import ZOHO_PEOPLE
from airflow_provider_lms.simulator import Simulator
from dev.matrix import PINS, prepare
from dev.webserver import Webserver
from tests.end_to_end.connection_forms import FormOfAirflow2, FormOfAirflow3, form_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NEWEST = "newest"
WITHOUT_FIELDS = "3.0"
VERSIONS = os.environ.get("LMS_FORMS", NEWEST).split()

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here: apt-get install chromium"
    ),
]


@pytest.fixture
def lms() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module", params=VERSIONS)
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webserver]:
    home = tmp_path_factory.mktemp("ui")
    if request.param == NEWEST:
        found = Webserver(Path(sys.executable), NEWEST, home)
    else:
        found = Webserver(prepare(request.param), PINS[request.param].release, home)
    with found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def with_fields(airflow: Webserver, request: pytest.FixtureRequest) -> None:
    if _version(request) == WITHOUT_FIELDS:
        pytest.skip("Airflow 3.0 shows these fields with its FAB provider only")


@pytest.fixture
def without_fields(airflow: Webserver, request: pytest.FixtureRequest) -> None:
    if _version(request) != WITHOUT_FIELDS:
        pytest.skip("only Airflow 3.0 without its FAB provider lacks the fields")


def _version(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["airflow"])


def _good(url: str) -> str:
    return (
        f"{url}: a new access token was issued, and results can be read. "
        "Tasks share the rate limit and the access token on this host only."
    )


@pytest.mark.usefixtures("with_fields")
def test_a_connection_to_ispring_learn_is_filled_in_saved_tested_and_edited(
    browser: Any, airflow: Webserver, lms: Simulator
) -> None:
    host, port = lms.url.removeprefix("http://").split(":")
    login, password = lms.ispring.client_id, lms.ispring.client_secret
    form = form_of(browser, airflow, ISPRING_LEARN)
    form.new()
    form.fill({"host": host, "port": port, "login": login, "password": password})
    form.sees("API host", "Client ID", "Client secret")
    assert not form.has("schema")
    if isinstance(form, FormOfAirflow3):
        form.photograph("form")
    form.show_extras()
    if isinstance(form, FormOfAirflow3):
        form.photograph("form_extra")
    if isinstance(form, FormOfAirflow2):
        assert form.test_before_saving() == (True, _good(lms.url))
    form.save()
    if isinstance(form, FormOfAirflow3):
        assert form.test() in ((True, _good(lms.url)), (True, ""))
    assert [request.call for request in lms.ispring.requests] == ["POST /api/v3/token", "GET /learners/results"]

    form.edit()
    form.show_extras()
    form.fill_extras({"page_size": "7"})
    form.save()
    assert form.test()[0]

    form.edit()
    form.show_extras()
    assert form.value("page_size") == "7"
    assert form.value("requests_per_day") == ""
    assert password not in form.page.content()


@pytest.mark.usefixtures("with_fields")
def test_a_connection_to_zoho_people_keeps_its_refresh_token_when_it_is_edited(
    browser: Any, airflow: Webserver, lms: Simulator
) -> None:
    login, password, refresh_token = lms.zoho.client_id, lms.zoho.client_secret, lms.zoho.refresh_token
    form = form_of(browser, airflow, ZOHO_PEOPLE)
    form.new()
    form.fill({"login": login, "password": password})
    if isinstance(form, FormOfAirflow3):
        # The UI of 3.3.2 tests nothing without a port.
        form.fill({"port": "443"})
    form.sees("Client ID", "Client secret")
    assert not form.has("host")
    assert not form.has("schema")
    if isinstance(form, FormOfAirflow3):
        form.photograph("form")
    form.show_extras()
    form.choose("data_center", "eu")
    # Airflow 3.0 to 3.2 show every extra as it is typed.
    assert form.is_password("refresh_token") != airflow.release.startswith(("3.0.", "3.1.", "3.2."))
    form.fill_extras({"refresh_token": refresh_token})
    if isinstance(form, FormOfAirflow3):
        form.photograph("form_extra")
    form.fill_extras({"accounts_url": lms.url, "people_url": lms.url})
    if isinstance(form, FormOfAirflow2):
        assert form.test_before_saving() == (True, _good(f"{lms.url}/api/v1"))
    form.save()
    if isinstance(form, FormOfAirflow3):
        assert form.test() in ((True, _good(f"{lms.url}/api/v1")), (True, ""))
    assert [request.call for request in lms.zoho.requests] == ["POST /oauth/v2/token", "GET /api/v1/courses"]

    form.edit()
    form.show_extras()
    assert form.value("refresh_token") == form.placeholder
    form.fill_extras({"requests_per_day": "5000"})
    form.save()
    assert form.test()[0]

    form.edit()
    form.show_extras()
    assert form.value("requests_per_day") == "5000"
    assert not [secret for secret in (password, refresh_token) if secret in form.page.content()]


@pytest.mark.usefixtures("without_fields")
def test_airflow_3_0_alone_takes_the_extras_as_json(browser: Any, airflow: Webserver, lms: Simulator) -> None:
    login, password, refresh_token = lms.zoho.client_id, lms.zoho.client_secret, lms.zoho.refresh_token
    form = FormOfAirflow3(browser, airflow, ZOHO_PEOPLE)
    form.new()
    form.sees("Host", "Login", "Password", "Port", "Schema")
    form.fill({"login": login, "password": password, "port": "443"})
    form.show_json()
    form.fill_json({"refresh_token": refresh_token, "accounts_url": lms.url, "people_url": lms.url})
    form.save()
    assert form.test()[0]

    form.edit()
    form.show_json()
    assert form.json()["refresh_token"] == form.placeholder
    form.fill_json({"requests_per_day": "5000"})
    form.save()
    assert form.test()[0]

    form.edit()
    form.show_json()
    assert form.json()["requests_per_day"] == "5000"
    assert not [secret for secret in (password, refresh_token) if secret in form.page.content()]
