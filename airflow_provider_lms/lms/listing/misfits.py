"""Values that do not fit their fields: counted, told once, and an error where a whole field has changed."""

from __future__ import annotations

import logging
from collections import Counter
from operator import attrgetter
from typing import Any

from airflow_provider_lms.lms.errors import LmsBrokenPage
from airflow_provider_lms.lms.excerpt import excerpt
from airflow_provider_lms.lms.listing.records import Record

log = logging.getLogger(__name__)

_CHANGED = 20
"""So many values of a field that all do not fit are no mistakes: the LMS has changed the field."""


class MisfitTally:
    """Counts the misfits of one listing, over all its pages.

    :param name: the listing's name, for messages.
    :param record: the declared type of a row.
    """

    def __init__(self, name: str, record: type[Record]) -> None:
        self._name = name
        self._record = record
        names = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
        self._attributes = {encoded: attribute for attribute, encoded in names}
        self._never_fitted = dict(self._attributes)
        self._counts: Counter[str] = Counter()
        self._reported: set[str] = set()

    def add(self, call: str, records: list[Any]) -> frozenset[str]:
        """Count the misfits of a page; return the attributes that have any.

        :param call: the page's name in messages.
        :raises LmsBrokenPage: many values of a field have appeared, and none of them fits.
        """
        for name, attribute in list(self._never_fitted.items()):
            if list(map(attrgetter(attribute), records)).count(None) < len(records):
                del self._never_fitted[name]
        if not records or type(records[0]) is self._record:
            return frozenset()
        found = Counter(name for record in records for name in record.extra if name in self._attributes)
        self._counts += found
        for name in found.keys() & self._never_fitted.keys():
            if self._counts[name] >= _CHANGED:
                raise LmsBrokenPage(
                    f"{call}: none of the {self._counts[name]:,} values of {name!r} so far fits this field. The LMS "
                    "seems to have changed its format. Please report it to the maintainers of this package."
                )
        return frozenset(self._attributes[name] for name in found)

    def report(self) -> None:
        """Warn of the misfits since the last call, of each field only once."""
        for name, count in sorted(self._counts.items()):
            if name not in self._reported:
                self._reported.add(name)
                log.warning(
                    "%s: %s values of %r do not fit this field. They are null, and kept as they came in '_extra'.",
                    self._name,
                    f"{count:,}",
                    excerpt(name),
                )
        self._counts.clear()
