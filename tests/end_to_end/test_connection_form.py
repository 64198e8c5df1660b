"""The connection form in Airflow's UI, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_lms.connections.form import ConnectionType
from airflow_provider_lms.connections.ispring import ISPRING_LEARN
from airflow_provider_lms.connections.zoho_people import ZOHO_PEOPLE
from airflow_provider_lms.simulator import Simulator
from dev.standalone import Airflow

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

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("airflow"),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def lms() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("ui")
    (folder / "dags").mkdir()
    with Airflow(folder / "home", folder / "dags", {}) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Form:
    """The form of a new connection, with Airflow's own fields filled in."""

    def __init__(self, browser: Any, airflow: Airflow, kind: ConnectionType[Any], fields: dict[str, str]) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 1700})
        self.page.set_default_timeout(30_000)
        self.page.goto(f"{airflow.url}/connections")
        self.page.get_by_role("button", name="Add Connection").first.click()
        self.fill({"connection_id": f"{kind.name}_default"})
        self.choose(0, kind.label)
        self.fill(fields)
        self._kind = kind

    def fill(self, fields: dict[str, str]) -> None:
        for name, value in fields.items():
            self.page.locator(f'input[name="{name}"]').fill(value)

    def choose(self, dropdown: int, option: str) -> None:
        self.page.get_by_role("combobox").nth(dropdown).click()
        self.page.keyboard.type(option)
        self.page.get_by_role("option", name=option, exact=True).click()

    def sees(self, *labels: str) -> None:
        from playwright.sync_api import expect

        for label in labels:
            expect(self.page.get_by_text(label, exact=True).first).to_be_visible()

    def show_extras(self) -> None:
        self.page.get_by_text("Extra Fields", exact=True).first.click()
        self.sees(*(field.label for field in self._kind.fields()))

    def photograph(self, name: str) -> None:
        if folder := os.environ.get("LMS_SCREENSHOTS"):
            self.page.get_by_role("dialog").screenshot(path=Path(folder) / f"{self._kind.name}_{name}.png")

    def save_and_test(self) -> Any:
        """What the button in the list of connections says."""
        self.page.get_by_role("button", name="Save").click()
        row = self.page.get_by_role("row").filter(has_text=f"{self._kind.name}_default")
        with self.page.expect_response("**/api/v2/connections/test") as tested:
            row.get_by_role("button", name="Test").click()
        return tested.value.json()


def _good(url: str) -> dict[str, Any]:
    return {
        "status": True,
        "message": f"{url}: a new access token was issued, and results can be read. "
        "Tasks share the rate limit and the access token on this host only.",
    }


def test_a_connection_to_ispring_learn_is_filled_in_tested_and_saved(
    browser: Any, airflow: Airflow, lms: Simulator
) -> None:
    host, port = lms.url.removeprefix("http://").split(":")
    login, password = lms.ispring.client_id, lms.ispring.client_secret
    form = Form(browser, airflow, ISPRING_LEARN, {"host": host, "port": port, "login": login, "password": password})
    form.sees("API host", "Client ID", "Client secret")
    assert form.page.locator('input[name="schema"]').count() == 0
    form.photograph("form")
    form.show_extras()
    form.photograph("form_extra")

    assert form.save_and_test() == _good(lms.url)
    saved = airflow.call("GET", "/api/v2/connections/ispring_learn_default")
    assert (saved["host"], saved["login"]) == ("127.0.0.1", login)
    assert password not in str(saved)
    assert [request.call for request in lms.ispring.requests] == ["POST /api/v3/token", "GET /learners/results"]


def test_a_connection_to_zoho_people_is_filled_in_tested_and_saved(
    browser: Any, airflow: Airflow, lms: Simulator
) -> None:
    login, password, refresh_token = lms.zoho.client_id, lms.zoho.client_secret, lms.zoho.refresh_token
    # The UI of 3.3.2 tests nothing without a port.
    form = Form(browser, airflow, ZOHO_PEOPLE, {"login": login, "password": password, "port": "443"})
    form.sees("Client ID", "Client secret")
    assert form.page.locator('input[name="host"], input[name="schema"]').count() == 0
    form.photograph("form")
    form.show_extras()
    form.choose(1, "eu")
    assert form.page.locator('input[name="element_refresh_token"]').get_attribute("type") == "password"
    form.fill({"element_refresh_token": refresh_token})
    form.photograph("form_extra")
    form.fill({"element_accounts_url": lms.url, "element_people_url": lms.url})

    assert form.save_and_test() == _good(f"{lms.url}/api/v1")
    saved = airflow.call("GET", "/api/v2/connections/zoho_people_default")
    assert json.loads(saved["extra"])["data_center"] == "eu"
    assert not [secret for secret in (password, refresh_token) if secret in str(saved)]
    assert [request.call for request in lms.zoho.requests] == ["POST /oauth/v2/token", "GET /api/v1/courses"]
