"""The connection types: what their forms show, and what their fields hold.

One table each. Airflow's metadata, the hooks' form methods and the reading of a connection come from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool


@dataclass(frozen=True)
class Field:
    """One extra of a connection.

    :param name: its key in the connection's extra.
    :param kind: ``string``, ``integer``, ``number`` or ``boolean``.
    :param label: its label in the form.
    :param hint: what stands below it in the form.
    :param default: its value where the connection leaves it empty.
    :param choices: the only values it may have.
    :param minimum: the least value of a number.
    :param secret: shown as a password. Airflow masks a stored extra by its name, so the name must say it too.
    """

    name: str
    kind: str
    label: str
    hint: str
    default: Value | None = None
    choices: Sequence[str] = ()
    minimum: float | None = None
    secret: bool = False

    def schema(self) -> dict[str, Any]:
        """The JSON schema that Airflow's form takes."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.default is not None:
            schema["default"] = self.default
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.secret:
            schema["format"] = "password"
        return schema

    def read(self, given: object) -> Value | None:
        """The value of a connection's extra; numbers and booleans may be given as text.

        :raises ValueError: it is none of this field's values.
        """
        if given is None or given == "":
            return self.default
        value = _READERS[self.kind](given)
        allowed = value is not None and (not self.choices or value in self.choices)
        if not allowed or (isinstance(value, int | float) and self.minimum is not None and value < self.minimum):
            expected = " or ".join(map(repr, self.choices)) or _KINDS[self.kind]
            least = "" if self.minimum is None else f" of at least {self.minimum:g}"
            shown = "another value" if self.secret else repr(given)
            raise ValueError(f"extra {self.name!r}: expected {expected}{least}, got {shown}.")
        return value


@dataclass(frozen=True)
class ConnectionType:
    """A connection type and its form.

    :param name: the connection type.
    :param label: its name in the UI.
    :param hook: the class path of its hook.
    :param relabeling: labels of Airflow's own fields.
    :param placeholders: examples in Airflow's own fields.
    :param hidden: Airflow's own fields that mean nothing here.
    :param fields: the extras.
    """

    name: str
    label: str
    hook: str
    relabeling: Mapping[str, str]
    placeholders: Mapping[str, str]
    hidden: Sequence[str]
    fields: Sequence[Field]

    def metadata(self) -> dict[str, Any]:
        """The entry under ``connection-types`` in the provider's metadata."""
        return {
            "connection-type": self.name,
            "hook-name": self.label,
            "hook-class-name": self.hook,
            "ui-field-behaviour": {
                "hidden-fields": list(self.hidden),
                "relabeling": dict(self.relabeling),
                "placeholders": dict(self.placeholders),
            },
            "conn-fields": {
                field.name: {"label": field.label, "description": field.hint, "schema": field.schema()}
                for field in self.fields
            },
        }

    def read(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Every extra of the type, checked; whatever else the connection holds is ignored.

        :raises ValueError: naming the extra.
        """
        return {field.name: field.read(extra.get(field.name)) for field in self.fields}


def _integer(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) != float("inf") and number == number else None


def _boolean(value: object) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


def _string(value: object) -> str | None:
    return value.strip() if isinstance(value, str) else None


_READERS = {"string": _string, "integer": _integer, "number": _number, "boolean": _boolean}
_KINDS = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


def _limits(requests: int | None) -> tuple[Field, ...]:
    usual = "no limit" if requests is None else str(requests)
    return (
        Field(
            "requests_per_window",
            "integer",
            "Requests per window",
            f"Calls allowed in any window ({usual} when empty).",
            default=requests,
            minimum=1,
        ),
        Field("window_seconds", "number", "Window (seconds)", "Length of that window.", default=60, minimum=0.001),
        Field(
            "lock_seconds",
            "number",
            "Lock (seconds)",
            "How long nobody sends after the LMS reported a limit without saying for how long.",
            default=300,
            minimum=0,
        ),
        Field(
            "requests_per_day",
            "integer",
            "Requests per day",
            "Calls allowed in any 24 hours (no limit when empty).",
            minimum=1,
        ),
        Field(
            "timeout",
            "number",
            "Timeout (seconds)",
            "How long one request may take, from connecting to the last byte.",
            default=60,
            minimum=0.1,
        ),
        Field(
            "allow_http",
            "boolean",
            "Allow plain HTTP",
            "Send credentials unencrypted to a host that is not this machine. For test servers only.",
            default=False,
        ),
    )


ISPRING_LEARN = ConnectionType(
    name="ispring_learn",
    label="iSpring Learn",
    hook="airflow_provider_lms.hooks.ispring.ISpringLearnHook",
    relabeling={"login": "Client ID", "password": "Client secret", "host": "API host"},
    placeholders={
        "host": "api-learn.ispringlearn.com (default), api-learn.ispring.com, .eu, .ru, or a base URL with its path",
        "port": "443, unless the host names it",
        "login": "from the account's API keys",
        "password": "from the account's API keys",
    },
    # Port stays: the Test button of Airflow up to 3.3.2 refuses connections without one (apache/airflow#73298).
    hidden=("schema", "extra"),
    fields=(
        Field(
            "auth_url",
            "string",
            "Authentication URL",
            "Where tokens come from; <base URL>/api/v3/token when empty.",
        ),
        Field(
            "auth_scheme",
            "string",
            "Authorization scheme",
            "What stands before the token in the Authorization header; none sends the bare token.",
            default="Bearer",
            choices=("Bearer", "none"),
        ),
        Field(
            "response_format",
            "string",
            "Response format",
            "What to ask for. auto prefers JSON, which is faster, and takes XML.",
            default="auto",
            choices=("auto", "json", "xml"),
        ),
        Field("page_size", "integer", "Page size", "Rows per page (the vendor's 1,000 when empty).", minimum=1),
        *_limits(requests=None),
    ),
)

ZOHO_DATA_CENTERS: Mapping[str, str] = {
    "us": "zoho.com",
    "eu": "zoho.eu",
    "in": "zoho.in",
    "au": "zoho.com.au",
    "jp": "zoho.jp",
    "cn": "zoho.com.cn",
    "ca": "zohocloud.ca",
    "sa": "zoho.sa",
    "uk": "zoho.uk",
    "sg": "zoho.sg",
    "ae": "zoho.ae",
}
"""Zoho's data centres: the domain of their accounts host and their People host."""

ZOHO_PEOPLE = ConnectionType(
    name="zoho_people",
    label="Zoho People",
    hook="airflow_provider_lms.hooks.zoho_people.ZohoPeopleHook",
    relabeling={"login": "Client ID", "password": "Client secret"},
    placeholders={
        "port": "443; not used",
        "login": "from the API console of the data centre",
        "password": "from the API console of the data centre",
    },
    # Port stays: the Test button of Airflow up to 3.3.2 refuses connections without one (apache/airflow#73298).
    hidden=("host", "schema", "extra"),
    fields=(
        Field(
            "refresh_token",
            "string",
            "Refresh token",
            "With the scope ZOHOPEOPLE.training.READ, from the same API console.",
            secret=True,
        ),
        Field(
            "data_center",
            "string",
            "Data centre",
            "Where the account is: the end of its address, such as zoho.eu.",
            default="us",
            choices=tuple(ZOHO_DATA_CENTERS),
        ),
        Field(
            "accounts_url",
            "string",
            "Accounts URL",
            "Where tokens come from, where it is not the data centre's accounts host.",
        ),
        Field(
            "people_url",
            "string",
            "People URL",
            "Where Zoho People is, where it is not the data centre's people host.",
        ),
        *_limits(requests=30),
    ),
)

CONNECTION_TYPES: Mapping[str, ConnectionType] = {each.name: each for each in (ISPRING_LEARN, ZOHO_PEOPLE)}
"""The connection types by name."""
