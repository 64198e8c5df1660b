"""Personal data: which columns a dataset gets, and which of them only as a hash."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeAlias, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType, structs

from airflow_provider_lms.lms.listing.page import Page
from airflow_provider_lms.lms.listing.records import EXTRA, EXTRA_ATTRIBUTE, Record
from airflow_provider_lms.lms.parameters import parse_ids

Change: TypeAlias = Callable[[Any], Any]

_LEAST_SECRET = 16
_KEY_ID = b"the id of a key of airflow-provider-lms"


@dataclass(frozen=True)
class ColumnChoice:
    """What a DAG author asks for, checked.

    A name is a column, such as ``userId``, or ``fields.EMAIL`` for one value of the object in a column. Such a name is
    found whatever its case.

    :param columns: the columns to keep; None keeps all.
    :param drop_columns: columns to leave out.
    :param hash_columns: columns to hash.
    """

    columns: tuple[str, ...] | None = None
    drop_columns: tuple[str, ...] = ()
    hash_columns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, columns: object, drop_columns: object, hash_columns: object) -> ColumnChoice | None:
        """The choice, or None if there is none.

        :raises ValueError: a parameter is no list of names, or two of them contradict each other.
        """
        kept = parse_ids("columns", columns)
        dropped = parse_ids("drop_columns", drop_columns) or ()
        hashed = parse_ids("hash_columns", hash_columns) or ()
        for name in dropped:
            if kept is not None and name in kept:
                raise ValueError(f"drop_columns: {name!r} is also in columns.")
            if name in hashed:
                raise ValueError(f"drop_columns: {name!r} is also in hash_columns.")
        return None if kept is None and not dropped and not hashed else cls(kept, dropped, hashed)


class Projection:
    """Leaves columns out and hashes others, page by page.

    A hash is an HMAC-SHA-256 in hexadecimal. The same value has the same hash in every column and every listing, so
    that hashed ids can still be joined. Without the secret nobody can compute it. Whatever is in ``_extra`` is left out
    unless ``columns`` names it, since nobody knows what the LMS will send one day.

    :param listing: the name of the listing, for errors.
    :param record: the type of its records. ``self.record`` is the type of the records after the change.
    :param choice: the columns.
    :param secret: the key of the hashes.
    :raises ValueError: a name is no column, no column is left, or the secret is missing or too short.

    Example::

        choice = ColumnChoice.parse(None, ["fields"], ["userId"])
        projection = Projection("users", User, choice, secret)
        pages = map(projection.apply, client.users())
    """

    def __init__(self, listing: str, record: type[Record], choice: ColumnChoice, secret: str | None) -> None:
        self._names = dict(zip(record.__struct_encode_fields__, record.__struct_fields__, strict=True))
        self._secret = _checked_secret(secret).encode() if choice.hash_columns else b""
        self.choice = choice
        kept = None if choice.columns is None else self._by_column(listing, "columns", choice.columns)
        dropped = self._by_column(listing, "drop_columns", choice.drop_columns)
        hashed = self._by_column(listing, "hash_columns", choice.hash_columns)
        for name in hashed:
            if kept is not None and name not in kept:
                raise ValueError(f"hash_columns: {name!r} is not in columns, so it is left out. Name it there as well.")
        self._whole = [name for name in self._names if (kept is None or name in kept) and dropped.get(name) != ()]
        if not self._whole:
            raise ValueError("columns, drop_columns: no column is left.")
        self._hashed = [name for name, keys in hashed.items() if keys == ()]
        self._changes: list[tuple[str, Change]] = [(self._names[name], self.hashed) for name in self._hashed]
        for name in self._whole:
            inner = _Inner(*(each.get(name, ()) for each in (kept or {}, dropped, hashed)))
            if any(inner):
                self._changes.append((self._names[name], partial(_change_object, inner, self.hashed)))
        self._keeps_extra = kept is not None and EXTRA in kept
        if self._keeps_extra:
            declared_elsewhere = self._names.keys() - set(self._whole) | set(self._hashed)
            self._changes.append((EXTRA_ATTRIBUTE, partial(_without, declared_elsewhere)))
        self.record = self._projected(record)

    @property
    def key_id(self) -> str | None:
        """Tells whether two datasets were hashed with the same secret, without saying anything about it."""
        return hmac.digest(self._secret, _KEY_ID, "sha256").hex()[:16] if self._secret else None

    @property
    def changed_columns(self) -> frozenset[str]:
        """The columns that hold something else than the LMS has sent: hashes, or objects that lack some values."""
        columns = {attribute: name for name, attribute in self._names.items()}
        return frozenset(columns[attribute] for attribute, _ in self._changes if attribute in columns)

    def apply(self, page: Page[Any]) -> Page[Any]:
        """The page with the columns that were asked for."""
        for attribute, change in self._changes:
            for record in page.records:
                if (value := getattr(record, attribute, None)) not in (None, UNSET):
                    setattr(record, attribute, change(value))
        records = msgspec.convert(page.records, list[self.record], from_attributes=True)  # type: ignore[name-defined]
        return replace(page, records=records, record=self.record)

    def has(self, *attributes: str) -> bool:
        """Whether these columns are there, hashed or not."""
        return {self._names[name] for name in self._whole}.issuperset(attributes)

    def keeps(self, attribute: str | None) -> bool:
        """Whether a column is there, with its own values."""
        plain = {self._names[name] for name in self._whole if name not in self._hashed}
        return attribute in plain

    def redact(self, query: Mapping[str, Any], personal: Set[str] = frozenset()) -> dict[str, Any]:
        """The query without what the dataset must not hold: ids are hashed or counted, as their column is.

        :param personal: the filters whose values identify a person by themselves; these are always counted.
        """
        shown: dict[str, Any] = {}
        for name, value in query.items():
            attribute = name.removesuffix("s")
            values = value if isinstance(value, list) else [value]
            if name in personal and value is not None:
                shown[name] = f"{len(values):,} left out"
            elif attribute not in self._names.values() or self.keeps(attribute) or value is None:
                shown[name] = value
            elif any(self._names[column] == attribute for column in self._hashed):
                shown[name] = [self.hashed(each) for each in values]
            else:
                shown[name] = f"{len(values):,} left out"
        return shown

    def hashed(self, value: object) -> str:
        """The hash of a value."""
        if isinstance(value, datetime):
            text = value.isoformat().replace("+00:00", "Z")
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def _by_column(self, listing: str, parameter: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """For each column that is named the keys in its object; none if the column itself is named."""
        found: dict[str, tuple[str, ...]] = {}
        for name in names:
            column, _, key = name.partition(".")
            known = column in self._names or (column == EXTRA and parameter == "columns" and not key)
            if not known:
                raise ValueError(
                    f"{parameter}: {listing} has no column {column!r}. It has {', '.join(self._names)}"
                    f"{f', {EXTRA}' if parameter == 'columns' else ''}."
                )
            found[column] = (*found.get(column, ()), key) if key and found.get(column) != () else ()
        return found

    def _projected(self, record: type[Record]) -> type[Record]:
        hints = get_type_hints(record, include_extras=True)
        required = {field.name for field in structs.fields(record) if field.required}
        fields: list[Any] = []
        for name in self._whole:
            attribute = self._names[name]
            is_hashed = name in self._hashed
            if attribute in required:
                fields.append((attribute, str if is_hashed else hints[attribute]))
            else:
                fields.append((attribute, str | None if is_hashed else hints[attribute], None))
        renamed = {self._names[name]: name for name in self._whole}
        if self._keeps_extra:
            fields.append((EXTRA_ATTRIBUTE, Any, UNSET))
            renamed[EXTRA_ATTRIBUTE] = EXTRA
        projected: Any = msgspec.defstruct(record.__name__, fields, bases=(Record,), rename=renamed, kw_only=True)
        return projected  # type: ignore[no-any-return]


def _checked_secret(secret: str | None) -> str:
    if secret is None:
        raise ValueError("hash_columns: the connection has no hash_secret. Put a random text into this field of it.")
    if len(secret) < _LEAST_SECRET:
        raise ValueError(
            f"hash_columns: the connection's hash_secret is shorter than {_LEAST_SECRET} characters, so it could be "
            "guessed. Use a random text."
        )
    return secret


class _Inner(NamedTuple):
    """What to do with single values of an object, by their keys."""

    kept: Sequence[str]
    dropped: Sequence[str]
    hashed: Sequence[str]


def _change_object(inner: _Inner, change: Change, value: object) -> Any:
    """The object with some of its values left out or changed.

    What is no object is left out: nobody can say what is in it.
    """
    if not isinstance(value, dict):
        return None
    kept, dropped, hashed = ({key.casefold() for key in keys} for keys in inner)
    found = {}
    for key, item in value.items():
        name = str(key).casefold()
        if name not in dropped and (not kept or name in kept):
            found[key] = change(item) if name in hashed and item is not None else item
    return found


def _without(names: Set[str], extra: Mapping[str, Any]) -> dict[str, Any] | UnsetType:
    return {name: value for name, value in extra.items() if name not in names} or UNSET
