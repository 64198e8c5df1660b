"""The filters that a listing can declare: how each is checked, and what it becomes in the query string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from airflow_provider_lms.lms.parameters import (
    DateRange,
    parse_choices,
    parse_date_range,
    parse_id,
    parse_ids,
    refuse_title,
)

Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class IdFilter:
    """A list of ids.

    :param name: the parameter of the client and of operators, such as ``course_ids``.
    :param param: the query parameter, such as ``courseIds[]``; it is sent once for each id.
    :param row: the attribute of a record that holds one of these ids. Then every row belongs to just one id, so a long
        list can be split over several requests, and a row with another id shows that the LMS ignored the filter.
    :param single: whether the LMS takes only one id.
    :param personal: whether a value alone identifies a person, such as an e-mail address.
    :param titled: whether people know by a title what the ids stand for, such as courses. A text with spaces is refused
        as a title; the LMS would only say that a parameter is wrong.
    """

    name: str
    param: str
    row: str | None = None
    single: bool = False
    personal: bool = False
    titled: bool = False

    def pairs(self, value: object) -> Pairs:
        """The query parameters.

        :raises ValueError: an empty list, or something that is not an id; ``name`` is in the message.
        """
        found = (parse_id(self.name, value),) if self.single else parse_ids(self.name, value) or ()
        for item in found:
            if self.titled:
                refuse_title(self.name, item)
        return tuple((self.param, item) for item in found)


@dataclass(frozen=True)
class ChoiceFilter:
    """One or more values out of a fixed set.

    :param name: the parameter of the client and of operators.
    :param param: the query parameter; it is sent once for each value.
    :param choices: the values that exist.
    :param owner: whose values these are, for messages: the LMS and the kind of value, such as "<LMS>'s statuses".
    :param row: the attribute of a record that holds one of these values. Rows with another value are dropped.
    :param echo: the field, beside the rows or in a row, in which the LMS repeats the value. Another value there breaks
        the page.
    """

    name: str
    param: str
    choices: tuple[str, ...]
    owner: str
    row: str | None = None
    echo: str | None = None

    def pairs(self, value: object) -> Pairs:
        """The query parameters.

        :raises ValueError: another value; ``name`` and the choices are in the message.
        """
        return tuple((self.param, item) for item in parse_choices(self.name, value, self.choices, self.owner) or ())


@dataclass(frozen=True)
class DateRangeFilter:
    """A range of dates, either end of which may be open.

    :param name: the parameter of the client; operators take ``<name>_start`` and ``<name>_end``.
    :param param: the query parameter, which becomes ``<param>[startDate]`` and ``<param>[endDate]``.
    """

    name: str
    param: str

    def pairs(self, value: DateRange | None) -> Pairs:
        """The query parameters, in UTC and whole seconds.

        :raises ValueError: not a range of dates; the name of the end is in the message.
        """
        ends = zip(("startDate", "endDate"), parse_date_range(self.name, value) or (), strict=False)
        return tuple(
            (f"{self.param}[{end}]", moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
            for end, moment in ends
            if moment is not None
        )


Filter: TypeAlias = IdFilter | ChoiceFilter | DateRangeFilter
