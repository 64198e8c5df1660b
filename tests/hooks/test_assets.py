"""The identity of a listing as an Airflow asset."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_lms.assets import sanitize_uri
from airflow_provider_lms.hooks.ispring import ISpringLearnHook
from airflow_provider_lms.hooks.zoho_people import ZohoPeopleHook
from airflow_provider_lms.lms.ispring import ISpringLearnClient
from airflow_provider_lms.provider_info import get_provider_info

ISPRING = {"conn_type": "ispring_learn", "host": "lms.test", "login": "client-1", "password": "first secret"}


def uri(monkeypatch: pytest.MonkeyPatch, account: str | None = None, **fields: Any) -> str:
    extra = {} if account is None else {"account": account}
    monkeypatch.setenv("AIRFLOW_CONN_ISPRING", json.dumps({**ISPRING, "extra": extra, **fields}))
    return ISpringLearnHook("ispring").asset_uri("courses")


def test_a_listing_is_named_by_the_accounts_name_and_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uri(monkeypatch, "acme-training") == "ispring-learn://acme-training/courses"


def test_without_a_name_the_account_is_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uri(monkeypatch) == "ispring-learn://2b4f12c7b919/courses"


def test_a_new_secret_keeps_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uri(monkeypatch, password="second secret") == uri(monkeypatch)


@pytest.mark.parametrize("other", [{"login": "client-2"}, {"host": "other.test"}])
def test_another_account_has_another_identity(monkeypatch: pytest.MonkeyPatch, other: dict[str, str]) -> None:
    assert uri(monkeypatch, **other) != uri(monkeypatch)


def test_a_new_refresh_token_keeps_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def zoho(token: str) -> str:
        fields = {"conn_type": "zoho_people", "login": "a", "password": "b", "extra": {"refresh_token": token}}
        monkeypatch.setenv("AIRFLOW_CONN_ZOHO", json.dumps(fields))
        return ZohoPeopleHook("zoho").asset_uri("courses")

    assert zoho("1000.first") == zoho("1000.second")
    assert zoho("1000.first").startswith("zoho-people://")


@pytest.mark.parametrize("name", ["Acme", "acme/training", "user:secret@acme", "acme training", "-acme", "a" * 64])
def test_a_name_that_cannot_stand_in_a_uri_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(
        ValueError, match=r"^Connection 'ispring', extra 'account': use up to 63 lower-case letters"
    ) as failed:
        uri(monkeypatch, name)
    assert "secret" not in str(failed.value)


def test_airflow_knows_the_schemes() -> None:
    (entry,) = get_provider_info()["asset-uris"]
    assert entry["schemes"] == ["ispring-learn", "zoho-people"]
    assert Asset(uri="ispring-learn://acme/courses/").uri == "ispring-learn://acme/courses"


@pytest.mark.parametrize(
    "uri",
    [
        "ispring-learn://acme",
        "ispring-learn:///courses",
        "ispring-learn://acme/courses/17",
        "ispring-learn://acme/Courses",
        "ispring-learn://acme:443/courses",
        "ispring-learn://me:secret@acme/courses",
        "ispring-learn://acme/courses?id=17",
    ],
)
def test_another_uri_with_such_a_scheme_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is ispring-learn://ACCOUNT/LISTING") as failed:
        sanitize_uri(urlsplit(uri))
    assert "secret" not in str(failed.value)


def test_a_client_that_no_hook_has_made_has_no_identity(client: ISpringLearnClient) -> None:
    assert list(client.courses())
    with pytest.raises(ValueError, match=r"^asset_uri: only a client that a hook has made"):
        client.asset_uri("courses")
