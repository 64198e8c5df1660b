"""The connection form in Airflow's UI, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_lms.connections import ISPRING_LEARN
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


def test_a_connection_is_filled_in_tested_and_saved_in_the_form(
    airflow: Airflow, lms: Simulator, tmp_path: Path
) -> None:
    screenshots = Path(os.environ.get("LMS_SCREENSHOTS", tmp_path))
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1700})
        page.set_default_timeout(30_000)
        page.goto(f"{airflow.url}/connections")
        page.get_by_role("button", name="Add Connection").first.click()
        page.locator('input[name="connection_id"]').fill("ispring_learn_default")
        page.get_by_role("combobox").first.click()
        page.keyboard.type("iSpring")
        page.get_by_role("option", name="iSpring Learn").click()
        host, port = lms.url.removeprefix("http://").split(":")
        page.locator('input[name="host"]').fill(host)
        page.locator('input[name="port"]').fill(port)
        page.locator('input[name="login"]').fill(lms.ispring.client_id)
        page.locator('input[name="password"]').fill(lms.ispring.client_secret)
        for label in ("API host", "Client ID", "Client secret"):
            expect(page.get_by_text(label, exact=True).first).to_be_visible()
        assert page.locator('input[name="schema"]').count() == 0
        form = page.get_by_role("dialog")
        form.screenshot(path=screenshots / "ispring_learn_form.png")
        page.get_by_text("Extra Fields", exact=True).first.click()
        for field in ISPRING_LEARN.fields:
            expect(page.get_by_text(field.label, exact=True).first).to_be_visible()
        form.screenshot(path=screenshots / "ispring_learn_form_extra.png")
        page.get_by_role("button", name="Save").click()
        row = page.get_by_role("row").filter(has_text="ispring_learn_default")
        with page.expect_response("**/api/v2/connections/test") as tested:
            row.get_by_role("button", name="Test").click()
        said = tested.value.json()
        browser.close()

    assert said == {"status": True, "message": f"{lms.url}: a new access token was given, and results can be read."}
    saved = airflow.call("GET", "/api/v2/connections/ispring_learn_default")
    assert (saved["host"], saved["login"]) == ("127.0.0.1", lms.ispring.client_id)
    assert lms.ispring.client_secret not in str(saved)
    assert [request.call for request in lms.ispring.requests] == ["POST /api/v3/token", "GET /learners/results"]
