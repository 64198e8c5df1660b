"""What a record type promises: the meaning of each field, whether it is about a person, and how surely it is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, structs

from airflow_provider_lms.lms.listing.records import EXTRA, Record
from airflow_provider_lms.lms.listing.spec import Listing

PersonalData: TypeAlias = Literal["direct", "indirect"]
Certainty: TypeAlias = Literal["documented", "seen", "assumed"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def about(
    meaning: str,
    *,
    personal: PersonalData | None = None,
    known: Certainty = "documented",
    references: str | None = None,
) -> Meta:
    """Describe a field of a record type, for its published contract.

    :param meaning: what the field tells, with its unit, as one or two sentences.
    :param personal: ``direct`` if the value alone identifies a person, such as a name or an e-mail address;
        ``indirect`` if it does so together with other data, such as an id, or if it is told about a person, such as a
        mark; None if it says nothing about a person.
    :param known: ``documented`` by the vendor, ``seen`` in responses by others, or ``assumed``.
    :param references: the listing whose primary key the field holds.

    Example::

        class Enrollment(Record, kw_only=True):
            learner_id: Annotated[Id, about("The learner.", personal="indirect", references="users")]
    """
    return Meta(
        description=meaning,
        extra={"personal": personal or "none", "known": known} | ({"references": references} if references else {}),
    )


class Field(NamedTuple):
    """A field of a record type, as its contract tells it.

    :param attribute: its name in the record type.
    :param name: the vendor's name.
    :param nullable: whether it may be null.
    :param meaning: what it tells; empty if it is not described.
    :param personal: ``direct``, ``indirect`` or ``none``.
    :param known: ``documented``, ``seen`` or ``assumed``.
    :param references: the listing whose primary key it holds.
    """

    attribute: str
    name: str
    nullable: bool
    meaning: str
    personal: str
    known: str
    references: str | None


def fields_of(record: type[Record]) -> list[Field]:
    """The fields of a record type, in the order of its columns."""
    hints, plain = get_type_hints(record, include_extras=True), get_type_hints(record)
    found = []
    for each in structs.fields(record):
        meta = next((item for item in _annotations(hints[each.name]) if item.description), Meta(description=""))
        extra: Mapping[str, Any] = meta.extra or {}
        found.append(
            Field(
                attribute=each.name,
                name=each.encode_name,
                nullable=plain[each.name] is Any or type(None) in get_args(plain[each.name]),
                meaning=meta.description or "",
                personal=extra.get("personal", "none"),
                known=extra.get("known", ""),
                references=extra.get("references"),
            )
        )
    return found


def json_schema(vendor: str, listing: Listing[Any]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a listing's rows, as datasets and XCom have them.

    :param vendor: the connection type.

    Every declared field is in every row; one without a value is null.
    """
    (whole,) = msgspec.json.schema_components([listing.record])[1].values()
    properties = whole["properties"]
    fields = fields_of(listing.record)
    for field in fields:
        properties[field.name].pop("default", None)
        properties[field.name]["x-personal-data"] = field.personal
        properties[field.name]["x-known"] = field.known
        if field.references is not None:
            properties[field.name]["x-references"] = field.references
    names = {field.attribute: field.name for field in fields}
    properties[EXTRA] = {
        "type": "object",
        "description": "What no declared field can hold. Only there if it holds something.",
        "x-personal-data": "direct",
    }
    return {
        "$schema": _DRAFT,
        "$id": f"{vendor}/{listing.name}/{listing.version}",
        "title": f"{vendor}.{listing.name}",
        "description": describe(listing.record),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields],
        "additionalProperties": False,
        "x-primary-key": [names[attribute] for attribute in listing.key],
        "x-watermark": names.get(listing.record.watermark or ""),
        "x-source": listing.source,
        "x-version": listing.version,
    }


def describe(record: type[Record]) -> str:
    """What a row is: the first paragraph of the record type's docstring, as one line."""
    return " ".join((record.__doc__ or "").partition("\n\n")[0].split())


def _annotations(hint: Any) -> list[Meta]:
    return [item for item in get_args(hint)[1:] if isinstance(item, Meta)] if get_origin(hint) is Annotated else []
