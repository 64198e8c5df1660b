"""A connection type is declared once, as a dataclass of its extras.

The form in the UI, the check of what a user entered, and the typed settings that the code uses follow from it::

    @dataclass(frozen=True, kw_only=True)
    class MoodleSettings(LmsSettings):
        page_size: int | None = extra("Page size", "Rows per page.", minimum=1)
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

_DESCRIPTION = "description"

_SHORTEST_MASKED = 5

DAY = 86_400
"""The longest duration that a field may hold, in seconds. Whoever means a longer one has mistaken the unit."""


@dataclass(frozen=True)
class _Description:
    label: str
    hint: str
    minimum: float | None
    maximum: float | None
    secret: bool


def extra(
    label: str,
    hint: str,
    *,
    default: Any = None,
    minimum: float | None = None,
    maximum: float | None = None,
    secret: bool = False,
) -> Any:
    """Declare one extra of a connection type. Its annotation says what it may hold.

    :param label: its label in the form.
    :param hint: the text below it in the form.
    :param default: its value where the connection leaves it empty.
    :param minimum: the least value of a number.
    :param maximum: the greatest value of a number.
    :param secret: shown as a password. Airflow masks a stored extra by its name, so the name must say it, too.
    """
    return dataclasses.field(
        default=default, metadata={_DESCRIPTION: _Description(label, hint, minimum, maximum, secret)}
    )


@dataclass(frozen=True, kw_only=True)
class LmsSettings:
    """The extras that the connections of every LMS have."""

    requests_per_window: int | None = extra(
        "Requests per window", "Calls allowed in any window (no limit when empty).", minimum=1
    )
    window_seconds: float = extra("Window (seconds)", "Length of that window.", default=60, minimum=0.001, maximum=DAY)
    lock_seconds: float = extra(
        "Lock (seconds)",
        "Pause for all tasks after a rate-limit response without Retry-After.",
        default=300,
        minimum=0,
        maximum=DAY,
    )
    requests_per_day: int | None = extra(
        "Requests per day", "Calls allowed in any 24 hours (no limit when empty).", minimum=1
    )
    parallel_requests: int = extra(
        "Parallel requests",
        "The most requests that one task may have in flight. A task asks for them with its own parallel_requests.",
        default=10,
        minimum=1,
        maximum=100,
    )
    timeout: float = extra(
        "Timeout (seconds)",
        "How long one request may take, from connecting to the last byte.",
        default=60,
        minimum=0.1,
        maximum=DAY,
    )
    max_body_bytes: int = extra(
        "Largest response (bytes)",
        "The largest body of a response, decompressed. A larger one is refused.",
        default=268_435_456,
        minimum=1_024,
    )
    hash_secret: str | None = extra(
        "Secret for hashes",
        "A random text of 16 characters or more: the key of hash_columns. A new one makes new hashes.",
        secret=True,
    )
    account: str | None = extra(
        "Account",
        "A lasting name for the account in asset URIs and lineage, such as acme-training. When empty, a digest of host "
        "and client ID.",
    )
    allow_http: bool = extra(
        "Allow plain HTTP",
        "Send credentials unencrypted to a host that is not this machine. For test servers only.",
        default=False,
    )


S = TypeVar("S", bound=LmsSettings)


@dataclass(frozen=True)
class FormField:
    """One extra as the form shows it.

    :param name: its key in the connection's extra.
    :param kind: ``string``, ``integer``, ``number`` or ``boolean``.
    :param choices: the only values it may have; empty if any value will do.
    """

    name: str
    kind: str
    label: str
    hint: str
    default: str | float | bool | None
    choices: Sequence[str]
    minimum: float | None
    maximum: float | None
    secret: bool

    def json_schema(self) -> dict[str, Any]:
        """The JSON schema that Airflow's form takes."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.form_default is not None:
            schema["default"] = self.form_default
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.secret:
            schema["format"] = "password"
        return schema

    @property
    def form_default(self) -> str | float | bool | None:
        """What the form is filled with, and stores.

        Airflow warns of each stored text of fewer than five characters that it is too short to be masked as a secret.
        So the form is left empty for these, which means the same.
        """
        too_short = isinstance(self.default, str) and len(self.default) < _SHORTEST_MASKED
        return None if too_short else self.default

    def parse(self, value: object) -> str | float | bool | None:
        """The checked value. Numbers and booleans may be given as text; an empty one takes the default.

        :raises ValueError: another value; the extra is named.
        """
        if value is None or value == "":
            return self.default
        found = _PARSERS[self.kind](value)
        if found is None or (self.choices and found not in self.choices) or not self._in_range(found):
            expected = " or ".join(map(repr, self.choices)) or _EXPECTED[self.kind]
            shown = "another value" if self.secret else reprlib.repr(value)
            raise ValueError(f"extra {self.name!r}: expected {expected}{self._range()}, got {shown}.")
        return found

    def _in_range(self, found: str | float | bool) -> bool:
        if not isinstance(found, int | float):
            return True
        return (self.minimum is None or found >= self.minimum) and (self.maximum is None or found <= self.maximum)

    def _range(self) -> str:
        bounds = (("least", self.minimum), ("most", self.maximum))
        words = [f"at {word} {bound:,}" for word, bound in bounds if bound is not None]
        return f" of {' and '.join(words)}" if words else ""


@dataclass(frozen=True)
class ConnectionType(Generic[S]):
    """A connection type and its form.

    :param name: the connection type, which is the ``conn_type`` of connections.
    :param label: its name in the UI.
    :param settings: its extras, with their types and defaults.
    :param relabeling: labels of Airflow's own fields.
    :param placeholders: examples in Airflow's own fields.
    :param hidden: Airflow's own fields that are not used.
    """

    name: str
    label: str
    settings: type[S]
    relabeling: Mapping[str, str]
    placeholders: Mapping[str, str]
    hidden: Sequence[str]

    def fields(self) -> list[FormField]:
        """The extras in the order of the form: first the LMS's own, then those of every LMS."""
        hints = get_type_hints(self.settings)
        common = {field.name for field in dataclasses.fields(LmsSettings)}
        found = [_form_field(field, hints[field.name]) for field in dataclasses.fields(self.settings)]
        return sorted(found, key=lambda field: field.name in common)

    def metadata(self, hook: str) -> dict[str, Any]:
        """The entry under ``connection-types`` in the provider's metadata.

        :param hook: the class path of the hook.
        """
        return {
            "connection-type": self.name,
            "hook-name": self.label,
            "hook-class-name": hook,
            "ui-field-behaviour": {
                "hidden-fields": list(self.hidden),
                "relabeling": dict(self.relabeling),
                "placeholders": dict(self.placeholders),
            },
            "conn-fields": {
                field.name: {"label": field.label, "description": field.hint, "schema": field.json_schema()}
                for field in self.fields()
            },
        }

    def parse(self, extra: Mapping[str, Any]) -> S:
        """The settings in a connection's extra. Other keys are ignored.

        :raises ValueError: an extra is invalid; it is named.
        """
        values: dict[str, Any] = {field.name: field.parse(extra.get(field.name)) for field in self.fields()}
        return self.settings(**values)


def _form_field(field: dataclasses.Field[Any], hint: Any) -> FormField:
    kind, choices = _kind(hint)
    described: _Description = field.metadata[_DESCRIPTION]
    default: Any = field.default
    return FormField(
        name=field.name,
        kind=kind,
        label=described.label,
        hint=described.hint,
        default=default,
        choices=choices,
        minimum=described.minimum,
        maximum=described.maximum,
        secret=described.secret,
    )


def _kind(hint: Any) -> tuple[str, Sequence[str]]:
    """What an annotation means in the form: the JSON type, and the choices of a ``Literal``."""
    if isinstance(hint, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is Literal:
        return "string", get_args(hint)
    return {str: "string", int: "integer", float: "number", bool: "boolean"}[hint], ()


def _parse_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # an integer of 400 digits overflows
        return None
    return number if abs(number) < float("inf") else None


def _parse_integer(value: object) -> int | None:
    number = _parse_number(value)
    return int(number) if number is not None and number == int(number) else None


def _parse_boolean(value: object) -> bool | None:
    # "y" is a ticked box, as Airflow 2's Test button sends it.
    return {"true": True, "1": True, "y": True, "false": False, "0": False}.get(str(value).strip().lower())


def _parse_string(value: object) -> str | None:
    return value.strip() if isinstance(value, str) and is_encodable(value) else None


def is_encodable(value: str) -> bool:
    """Whether a text can be sent. JSON can hold one half of a surrogate pair, which no encoding can."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


_PARSERS = {"string": _parse_string, "integer": _parse_integer, "number": _parse_number, "boolean": _parse_boolean}
_EXPECTED = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
