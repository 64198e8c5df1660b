"""The form of Airflow 2, as Flask-AppBuilder reads and shows it; a browser test fills it in."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_lms.connections.form import ConnectionType
from airflow_provider_lms.connections.ispring import ISPRING_LEARN
from airflow_provider_lms.connections.zoho_people import ZOHO_PEOPLE
from airflow_provider_lms.hooks.base import form_widgets

views = pytest.importorskip("airflow.www.views", reason="only Airflow 2 has this form")


class Sent(dict[str, str]):
    """What a browser sent, as WTForms reads it."""

    def getlist(self, name: str) -> list[str]:
        return [self[name]]


def form(kind: ConnectionType[Any], sent: dict[str, str] | None = None) -> Any:
    """The form with what a browser sent, or the one of a connection that was opened."""
    from wtforms import Form

    return type("ExtrasForm", (Form,), form_widgets(kind))(None if sent is None else Sent(sent))


@pytest.mark.parametrize("kind", [ISPRING_LEARN, ZOHO_PEOPLE])
def test_a_form_can_be_saved_with_empty_fields(kind: ConnectionType[Any]) -> None:
    found = form(kind, {field.name: "" for field in kind.fields() if field.kind != "boolean"})
    assert found.validate(), found.errors
    assert kind.parse(found.data) == kind.parse({})


@pytest.mark.parametrize("sent", [{"page_size": "many"}, {"response_format": "yaml"}])
def test_a_wrong_value_is_not_saved(sent: dict[str, str]) -> None:
    found = form(ISPRING_LEARN, sent)
    assert not found.validate()
    assert list(found.errors) == list(sent)


def test_a_right_value_is_saved() -> None:
    found = form(ISPRING_LEARN, {"page_size": "7", "response_format": "xml"})
    assert found.validate()
    assert (found.page_size.data, found.response_format.data) == (7, "xml")


def test_a_stored_secret_is_shown_as_the_placeholder_that_keeps_it() -> None:
    found = form(ZOHO_PEOPLE)
    found.refresh_token.data = "1000.stored"
    assert f'value="{views.SENSITIVE_FIELD_PLACEHOLDER}"' in found.refresh_token()
    assert "1000.stored" not in found.refresh_token()


def test_no_placeholder_is_shown_where_no_secret_is_stored() -> None:
    assert views.SENSITIVE_FIELD_PLACEHOLDER not in form(ZOHO_PEOPLE).refresh_token()


def test_a_secret_is_not_lost_if_the_form_could_not_be_saved() -> None:
    found = form(ZOHO_PEOPLE, {"refresh_token": "1000.typed", "requests_per_day": "many"})
    assert not found.validate()
    assert 'value="1000.typed"' in found.refresh_token()
    assert 'type="password"' in found.refresh_token()


def test_a_ticked_box_is_understood_as_the_test_button_sends_it() -> None:
    (box,) = [field for field in ISPRING_LEARN.fields() if field.name == "allow_http"]
    assert 'value="y"' in form(ISPRING_LEARN).allow_http()
    assert box.parse("y") is True
