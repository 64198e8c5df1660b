"""From rows to typed records. Nothing is dropped: neither a field that the record type does not know, nor a value that
does not fit its field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Set
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import UNSET

from airflow_provider_lms.lms.excerpt import excerpt
from airflow_provider_lms.lms.http.repair import REPLACEMENT
from airflow_provider_lms.lms.http.response import Response

R = TypeVar("R", bound="Record")
Row: TypeAlias = dict[str, Any]

Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
"""An id that every row has."""
WholeNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer of 64 bits, which every format and database can hold."""

EXTRA = "_extra"
"""The name under which everything is kept that the declared fields cannot hold."""
EXTRA_ATTRIBUTE = "undeclared"
READ_AT_ATTRIBUTE = "read_at"
"""A record type that declares this attribute tells when the LMS was asked for a record."""
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_zone_of = attrgetter("tzinfo")
_MOST_FIELDS = 300
"""A row with more fields than this holds data in its names. Not all of them are reported, and all take a slower way."""


class Record(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True, gc=False):
    """A row: the vendor's field names, as attributes in snake case.

    ``watermark`` names the attribute with the date from which a later run can continue, if there is one.

    ``extra`` holds, by the vendor's names, what no declared field can hold: fields that are not declared, and values
    that do not fit their fields, as they came; these fields are None. Datasets and plain dicts have it as ``_extra``,
    where it holds something.

    Example::

        class Course(Record, kw_only=True):
            course_id: Id                     # "courseId" in the vendor's JSON
            title: str | None = None
    """

    watermark: ClassVar[str | None] = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """What no declared field can hold, by the vendor's names."""
        return getattr(self, EXTRA_ATTRIBUTE, None) or {}


class RecordConverter(Generic[R]):
    """Converts rows to records of one type.

    When a row has a field that is not declared, the type is widened by it, so that the rows of all later pages can be
    decoded at once. A finished record has such fields in ``extra`` alone.

    :param record: the declared type. ``record`` is the type as it is now, a subclass of it.
    """

    def __init__(self, record: type[R]) -> None:
        self._declared = frozenset(record.__struct_fields__)
        self.new_fields: frozenset[str] = frozenset()
        """The fields that rows have had so far and that are not declared."""
        self._adopt(record)

    def convert(self, response: Response, rows: list[Row]) -> list[R]:
        """Records of all rows. An optional value that does not fit its field becomes None, and is kept as a misfit.

        :param response: where the rows come from, for messages.
        :raises LmsBrokenPage: a row has no valid value for a field that it must have.
        """
        # From the usual to the rare case: all is declared, fields are new, values do not fit.
        if (records := self._try(rows)) is not None:
            return records
        self._widen({field for row in rows for field in row if _can_be_field(field)})
        if (records := self._try(rows)) is not None:
            return records
        rows = [self._without_misfits(row) for row in rows]
        if any(EXTRA in row for row in rows):
            self._widen({EXTRA})
        try:
            return self._convert(rows)
        except msgspec.ValidationError as error:
            raise response.broken_page(_describe(str(error))) from None
        except RecursionError:
            raise response.broken_page("values are nested too deeply.") from None

    def finish(self, records: list[R]) -> list[R]:
        """The same records: dates are converted to UTC, and fields that are not declared are moved to ``extra``.

        A date without a zone is taken as UTC. A number that came as a text is a number, also where texts are allowed.

        :raises OverflowError: a date is outside the years 1 to 9999 in UTC.
        """
        if self._undeclared:
            for record in records:
                self._move_to_extra(record)
        for field in self._mixed:
            for record, value in zip(records, map(attrgetter(field), records), strict=True):
                if type(value) is str and _NUMBER.fullmatch(value):
                    setattr(record, field, float(value) if "." in value else int(value))
        for field in self._dates:
            zones = list(map(_zone_of, filter(None, map(attrgetter(field), records))))
            # In most listings all dates are in UTC. All of them are counted faster than one other is looked for.
            if zones.count(UTC) < len(zones):
                for record, moment in zip(records, map(attrgetter(field), records), strict=True):
                    if moment is not None:
                        setattr(record, field, _to_utc(moment))
        return records

    def _move_to_extra(self, record: Any) -> None:
        found = {}
        for attribute, name in self._undeclared:
            if (value := getattr(record, attribute)) is not UNSET:
                setattr(record, attribute, UNSET)
                if value is not None:
                    found[name] = value
        if found:
            setattr(record, EXTRA_ATTRIBUTE, {**record.extra, **found})

    def _adopt(self, record: type[R]) -> None:
        self.record = record
        hints = get_type_hints(record)  # what a value is, without what is said about it
        bounded = get_type_hints(record, include_extras=True)
        names = list(zip(record.__struct_encode_fields__, record.__struct_fields__, strict=True))
        self._known = {name: hints[attribute] for name, attribute in names}
        self._bounded = {name: bounded[attribute] for name, attribute in names}
        self._undeclared = [
            (attribute, name) for name, attribute in names if attribute not in self._declared and name != EXTRA
        ]
        self._dates = [field for field, hint in hints.items() if _is_one_of(hint, datetime)]
        self._date_names = [name for name, hint in self._known.items() if _is_one_of(hint, datetime)]
        self._floats = [field for field, hint in hints.items() if _is_one_of(hint, float) and not _is_one_of(hint, str)]
        self._mixed = [field for field, hint in hints.items() if _is_one_of(hint, float) and _is_one_of(hint, str)]
        self._required_texts = [
            field.name for field in msgspec.structs.fields(record) if field.required and hints[field.name] is str
        ]

    def _try(self, rows: list[Row]) -> list[R] | None:
        """Records of all rows, or None. A row that already has a field named ``_extra`` is a rare case."""
        try:
            return None if any(EXTRA in row for row in rows) else self._convert(rows)
        except (msgspec.ValidationError, RecursionError):
            return None

    def _convert(self, rows: list[Row]) -> list[R]:
        """Records of rows in which every value fits.

        :raises msgspec.ValidationError: a value does not.
        """
        for name in self._date_names:
            for row in rows:
                value = row.get(name)
                # Inline, since every date of every row passes here.
                if value is not None and (type(value) is not str or value[4:5] != "-"):
                    raise msgspec.ValidationError("A number or a text is not a date.")
        records = msgspec.convert(rows, list[self.record], strict=False)  # type: ignore[name-defined]
        for field in self._floats:
            # The sum of numbers that are finite may be infinite. Then each is looked at.
            numbers = list(filter(None, map(attrgetter(field), records)))
            if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
                raise msgspec.ValidationError("A number is not finite.")
        for field in self._required_texts:
            if REPLACEMENT in "".join(map(attrgetter(field), records)):
                raise msgspec.ValidationError(f"`{field}` has a damaged character")
        try:
            return self.finish(records)
        except OverflowError:
            raise msgspec.ValidationError("A date is outside the years 1 to 9999 in UTC.") from None

    def _without_misfits(self, row: Row) -> Row:
        """The row with its misfits in a field of their own. A field that it must have is left for the error."""
        fitting: Row = {}
        extra: Row = {}
        for name, value in row.items():
            if name == EXTRA or name not in self._known:
                if value is not None:
                    extra[name] = value
            elif value is None or self._known[name] is Any:
                fitting[name] = value
            elif _is_one_of(self._known[name], datetime):
                moment = _parse_moment(value)
                (extra if moment is None else fitting)[name] = moment or value
            elif _fits(value, self._bounded[name]) or type(None) not in get_args(self._known[name]):
                fitting[name] = value
            else:
                extra[name] = value
        self._note(extra.keys() - self._known.keys())
        return {**fitting, EXTRA: extra} if extra else fitting

    def _note(self, fields: Set[str]) -> None:
        """Remember fields that are not declared. There may be no end of them."""
        if not fields <= self.new_fields and len(self.new_fields) < _MOST_FIELDS:
            self.new_fields |= fields - {EXTRA}

    def _widen(self, fields: set[str]) -> None:
        """Let the record type hold further fields, whatever their values."""
        fields -= self._known.keys()
        if not fields or len(self._known) + len(fields) > _MOST_FIELDS:
            return
        self._note(fields)
        # Vendors' names need not be identifiers, so the attributes are numbered.
        names = {
            EXTRA_ATTRIBUTE if name == EXTRA else f"{EXTRA_ATTRIBUTE}_{number}": name
            for number, name in enumerate(sorted({*fields, EXTRA} - self._known.keys()), start=len(self._known))
        }
        known = dict(zip(self.record.__struct_fields__, self.record.__struct_encode_fields__, strict=True))
        wider: Any = msgspec.defstruct(
            self.record.__name__,
            [(attribute, Any, UNSET) for attribute in names],
            bases=(self.record,),
            rename=known | names,
            kw_only=True,
        )
        self._adopt(wider)


def _can_be_field(name: str) -> bool:
    """Whether a field of a record type can have this name."""
    return name != EXTRA and name.isprintable() and not {'"', "\\"} & set(name)


def _is_one_of(hint: Any, kind: type) -> bool:
    return hint is kind or kind in get_args(hint)


def _looks_like_moment(value: object) -> bool:
    """Whether this may be a date with a time. The converter would take a number for seconds since 1970."""
    return type(value) is str and value[4:5] == "-"


def _parse_moment(value: object) -> str | datetime | None:
    """The value if it is a date with a time, or midnight of the date that it is; None if it is neither."""
    if not _looks_like_moment(value):
        return None
    text = str(value)
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        pass
    else:
        return text if _to_utc_or_none(moment) is not None else None
    try:
        return f"{date.fromisoformat(text).isoformat()}T00:00:00Z" if len(text) == 10 else None
    except ValueError:
        return None


def _to_utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC)


def _to_utc_or_none(moment: datetime) -> datetime | None:
    try:
        return _to_utc(moment)
    except OverflowError:
        return None


def _fits(value: object, hint: Any) -> bool:
    try:
        found = msgspec.convert(value, hint, strict=False)
    except (msgspec.ValidationError, RecursionError):
        return False
    return not isinstance(found, float) or math.isfinite(found)


def _describe(error: str) -> str:
    """The decoder's message on a row, with the row's number and without its path syntax."""
    reason, _, path = error.partition(" - at `$")
    row = re.match(r"\[(\d+)\](?:\.(\w+))?", path)
    if row is None:
        return f"a row does not have the declared shape ({reason})."
    field = f", field '{excerpt(row[2])}'," if row[2] else ""
    return f"row {int(row[1]) + 1}{field} does not have the declared shape ({reason})."
