"""Airflow's connection form in a browser, as a user fills it in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from airflow_provider_lms.connections.form import ConnectionType
from dev.webserver import PASSWORD, USER, Webserver


class Form(Protocol):
    """The form of one connection."""

    page: Any
    placeholder: str
    """What stands for a stored secret."""

    def new(self) -> None:
        """Open the form of a new connection, and choose id and type."""

    def edit(self) -> None:
        """Open the form of the saved connection."""

    def sees(self, *labels: str) -> None:
        """Fail unless all these labels are visible."""

    def show_extras(self) -> None:
        """Open the extras, and fail unless all of them have their labels."""

    def fill(self, fields: Mapping[str, str]) -> None:
        """Fill in Airflow's own fields."""

    def fill_extras(self, extras: Mapping[str, str]) -> None:
        """Fill in extras."""

    def choose(self, extra: str, value: str) -> None:
        """Set an extra with few values."""

    def value(self, extra: str) -> str:
        """What the form shows for an extra."""

    def has(self, field: str) -> bool:
        """Whether one of Airflow's own fields is shown."""

    def is_password(self, extra: str) -> bool:
        """Whether an extra is hidden while it is typed."""

    def save(self) -> None:
        """Save the form, and fail unless it was saved."""

    def test(self) -> tuple[bool, str]:
        """Test the saved connection; return whether it is good and the message, empty where Airflow shows none."""


def form_of(browser: Any, airflow: Webserver, kind: ConnectionType[Any]) -> Form:
    """The form of this Airflow."""
    return FormOfAirflow2(browser, airflow, kind) if airflow.is_airflow_2 else FormOfAirflow3(browser, airflow, kind)


def _test_by_command(airflow: Webserver, conn_id: str) -> tuple[bool, str]:
    return "Connection success!" in airflow.command("connections", "test", conn_id), ""


class FormOfAirflow2:
    """The form of Flask-AppBuilder."""

    placeholder = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"

    def __init__(self, browser: Any, airflow: Webserver, kind: ConnectionType[Any]) -> None:
        self._airflow, self._kind = airflow, kind
        self._id = f"{kind.name}_default"
        self.page = browser.new_page(viewport={"width": 1280, "height": 2000})
        self.page.set_default_timeout(10_000)
        self._open("/login/")
        self.page.locator("#username").fill(USER)
        self.page.locator("#password").fill(PASSWORD)
        self.page.locator("input[type=submit]").click()
        self.page.wait_for_url("**/home")

    def _open(self, path: str) -> None:
        self.page.goto(self._airflow.url + path)

    def new(self) -> None:
        self._open("/connection/add")
        self.page.locator("#conn_id").fill(self._id)
        self.page.locator("#select2-conn_type-container").click()
        self.page.get_by_role("option", name=self._kind.label, exact=True).click()

    def edit(self) -> None:
        self._open("/connection/list/")
        self.page.get_by_role("row").filter(has_text=self._id).locator("a[href*='/connection/edit/']").click()
        self.page.locator("#conn_id").wait_for()

    def sees(self, *labels: str) -> None:
        from playwright.sync_api import expect

        for label in labels:
            expect(self.page.locator("label").get_by_text(label, exact=True).first).to_be_visible()

    def show_extras(self) -> None:
        self.sees(*(field.label for field in self._kind.fields()))

    def fill(self, fields: Mapping[str, str]) -> None:
        for name, value in fields.items():
            self.page.locator(f"#{name}").fill(value)

    def _extra(self, name: str) -> Any:
        return self.page.locator(f"#extra__{self._kind.name}__{name}")

    def fill_extras(self, extras: Mapping[str, str]) -> None:
        for name, value in extras.items():
            self._extra(name).fill(value)

    def choose(self, extra: str, value: str) -> None:
        self._extra(extra).fill(value)

    def value(self, extra: str) -> str:
        found: str = self._extra(extra).input_value()
        return found

    def has(self, field: str) -> bool:
        found: bool = self.page.locator(f"#{field}").is_visible()
        return found

    def is_password(self, extra: str) -> bool:
        return bool(self._extra(extra).get_attribute("type") == "password")

    def test_before_saving(self) -> tuple[bool, str]:
        """Press the button of the form, which tests what the form holds."""
        with self.page.expect_response("**/api/v1/connections/test") as tested:
            self.page.locator("#test-connection").click()
        result = tested.value.json()
        return result["status"], result["message"]

    def save(self) -> None:
        self.page.locator("#model_form button[type=submit]").click()
        self.page.wait_for_load_state()
        errors = self.page.locator("#model_form .alert-danger").all_inner_texts()
        assert "/connection/add" not in self.page.url, errors
        assert "/connection/edit" not in self.page.url, errors

    def test(self) -> tuple[bool, str]:
        # Airflow 2 has no button for a saved connection.
        return _test_by_command(self._airflow, self._id)


class FormOfAirflow3:
    """The form of Airflow 3's own UI."""

    placeholder = "***"

    def __init__(self, browser: Any, airflow: Webserver, kind: ConnectionType[Any]) -> None:
        self._airflow, self._kind = airflow, kind
        self._id = f"{kind.name}_default"
        self.page = browser.new_page(viewport={"width": 1280, "height": 1700})
        self.page.set_default_timeout(10_000)
        # The login, in which nobody has to type anything, ends at the home page up to 3.1, whatever was asked for.
        self.page.goto(airflow.url)
        self.page.get_by_text("Admin", exact=True).first.wait_for()

    def _open(self) -> None:
        self.page.goto(f"{self._airflow.url}/connections")

    def _row(self) -> Any:
        return self.page.get_by_role("row").filter(has_text=self._id)

    def new(self) -> None:
        self._open()
        self.page.get_by_role("button", name="Add Connection").first.click()
        self.fill({"connection_id": self._id})
        self._pick(0, self._kind.label)

    def edit(self) -> None:
        self._open()
        self._row().get_by_role("button", name="Edit Connection").click()
        self.page.get_by_role("dialog").wait_for()

    def _pick(self, dropdown: int, option: str) -> None:
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

    def fill(self, fields: Mapping[str, str]) -> None:
        for name, value in fields.items():
            self.page.locator(f'input[name="{name}"]').fill(value)

    def fill_extras(self, extras: Mapping[str, str]) -> None:
        self.fill({f"element_{name}": value for name, value in extras.items()})

    def choose(self, extra: str, value: str) -> None:
        assert not self.page.locator(f'input[name="element_{extra}"]:not([type="hidden"])').count(), "not a dropdown"
        self._pick(1, value)

    def value(self, extra: str) -> str:
        found: str = self.page.locator(f'input[name="element_{extra}"]').input_value()
        return found

    def has(self, field: str) -> bool:
        found: bool = self.page.locator(f'input[name="{field}"]').is_visible()
        return found

    def is_password(self, extra: str) -> bool:
        found = self.page.locator(f'input[name="element_{extra}"]').get_attribute("type")
        return bool(found == "password")

    def json(self) -> Any:
        """The extras in the editor for JSON, which has to be opened before."""
        return json.loads(self.page.locator(".cm-content").inner_text())

    def fill_json(self, extras: Mapping[str, str]) -> None:
        """Add extras in the editor for JSON, which has to be opened before."""
        changed = json.dumps({**self.json(), **extras})
        self.page.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        # Not typed: the editor would close brackets by itself.
        self.page.keyboard.insert_text(changed)
        # The form takes the text when the editor loses the focus. A click on the button alone would save nothing.
        self.page.locator(".cm-content").blur()

    def show_json(self) -> None:
        """Open the editor for JSON."""
        self.page.get_by_text("Extra Fields JSON", exact=True).first.click()
        self.page.locator(".cm-content").wait_for()

    def photograph(self, name: str) -> None:
        """Take the picture for the docs."""
        if folder := os.environ.get("LMS_SCREENSHOTS"):
            self.page.get_by_role("dialog").screenshot(path=Path(folder) / f"{self._kind.name}_{name}.png")

    def save(self) -> None:
        with self.page.expect_response(re.compile(r"/api/v2/connections(/\w+)?(\?|$)")) as saved:
            self.page.get_by_role("button", name="Save").click()
        assert saved.value.ok, saved.value.text()

    def test(self) -> tuple[bool, str]:
        if self._airflow.release.startswith("3.0."):
            # Its UI has no button at all.
            return _test_by_command(self._airflow, self._id)
        self._open()
        with self.page.expect_response("**/api/v2/connections/test") as tested:
            self._row().get_by_role("button", name="Test").click()
        result = tested.value.json()
        return result["status"], result["message"]
