"""Paths with ids in them, such as ``/courses/{course_id}[/batches/{batch_id}]/modules``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from urllib.parse import quote

from airflow_provider_lms.lms.parameters import parse_choice, parse_id

_ID = re.compile(r"{(\w+)}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class PathId:
    """An id in a path. A row of the listing belongs to this id, and gets it as a field.

    :param name: the parameter of the client and of operators, such as ``course_id``.
    :param field: the vendor's name for it in a row, such as ``courseId``.
    :param personal: whether it identifies a person; messages then show ``{course_id}`` in place of the id.
    :param response_field: where to keep another id that a row or page answers with. None: a row with another id shows
        that the LMS ignored the path, and breaks the page.
    :param choices: for a fixed set of values, what the path says for each of them; empty for an id.
    :param param: the query parameter that the id is sent as, if it is required and not in the path.
    """

    name: str
    field: str
    personal: bool = False
    response_field: str | None = None
    choices: Mapping[str, str] = dataclass_field(default_factory=dict, hash=False)
    param: str | None = None

    def parse(self, value: object) -> str:
        """What the path says for a value.

        :raises ValueError: not an id, or none of the choices.
        """
        found = parse_id(self.name, value)
        return self.choices[parse_choice(self.name, found, tuple(self.choices))] if self.choices else found


@dataclass(frozen=True)
class Path:
    """A path template. A part in brackets is left out if its id is not given; brackets may be nested.

    :param template: such as ``/courses/{course_id}[/batches/{batch_id}]/modules``.
    """

    template: str

    def required_ids(self) -> list[str]:
        """The names of the ids without which there is no path."""
        return _ID.findall(self._expand({}))

    def check(self, ids: Iterable[PathId], values: Mapping[str, object]) -> dict[str, str]:
        """The ids that are given, checked.

        :raises ValueError: not an id, a required id is missing, or one makes no sense without another.
        """
        ids = tuple(ids)
        if self.template.startswith("[") and all(values.get(each.name) is None for each in ids):
            raise ValueError(f"{ids[0].name}: give at least one of {', '.join(each.name for each in ids)}.")
        found = {each.name: each.parse(values[each.name]) for each in ids if values.get(each.name) is not None}
        rendered = [*_ID.findall(self._expand(found)), *(each.name for each in ids if each.param)]
        for name in found:
            if name not in rendered:
                raise ValueError(f"{name}: give {self._outer(name)} as well.")
        for name in rendered:
            if name not in found:
                raise ValueError(f"{name}: required.")
        return found

    def render(self, values: Mapping[str, str], hidden: Collection[str] = ()) -> str:
        """The path for these ids, percent-encoded.

        :param hidden: the names of ids that are shown as ``{name}``, for messages.
        """

        def text(match: re.Match[str]) -> str:
            return match[0] if match[1] in hidden else quote(values[match[1]], safe="")

        return _ID.sub(text, self._expand(values))

    def _expand(self, values: Mapping[str, str]) -> str:
        """The template with the brackets resolved, from the inside out."""

        def resolve(match: re.Match[str]) -> str:
            names = _ID.findall(match[1])
            return match[1] if all(name in values for name in names) else ""

        expanded, template = _OPTIONAL.sub(resolve, self.template), self.template
        while expanded != template:
            template, expanded = expanded, _OPTIONAL.sub(resolve, expanded)
        return expanded

    def _outer(self, name: str) -> str:
        """The id that stands before this one in the template."""
        names = _ID.findall(self.template)
        return str(names[names.index(name) - 1])
