"""What a completion sensor waits for: which learners, and how many of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

import msgspec

from airflow_provider_lms.lms.course.progress import LEARNER_ID, IdKind, StatusMeanings
from airflow_provider_lms.lms.parameters import parse_int

Choice: TypeAlias = Literal["wait", "fail", "ignore"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
BlockedChoice: TypeAlias = Literal["count", "ignore"]
BLOCKED_CHOICES: tuple[BlockedChoice, ...] = get_args(BlockedChoice)


class Criteria(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who must have completed a course, and how many of them. Can be stored as JSON.

    :param named: ids of the learners to wait for; None is everybody in the course.
    :param id_kind: what these ids are.
    :param statuses: what the LMS's status words mean.
    :param share: the share of the cohort that must have completed, as text; None where ``count`` is set.
    :param count: how many learners must have completed.
    :param min_cohort: a smaller cohort is never complete.
    :param on_unsuccessful: ``wait`` (another attempt may follow), ``fail`` (the learner counts as failed) or
        ``ignore`` (the learner leaves the cohort).
    :param on_missing: the same for named learners who are not in the course.
    :param on_overdue: the same for learners past their due date who have not completed.
    :param on_blocked: ``count``, or ``ignore``: blocked and terminated accounts leave the cohort.
    :param fail_if_no_id_matches: if none of the named learners is in a course that has learners, their ids are
        probably of another kind, and waiting makes no sense.
    """

    named: tuple[str, ...] | None = None
    id_kind: IdKind = LEARNER_ID
    statuses: StatusMeanings
    share: str | None = "1"
    count: int | None = None
    min_cohort: int = 1
    on_unsuccessful: Choice = "wait"
    on_missing: Choice = "wait"
    on_overdue: Choice = "wait"
    on_blocked: BlockedChoice = "count"
    fail_if_no_id_matches: bool = False

    @property
    def learner_ids(self) -> dict[IdKind, tuple[str, ...]] | None:
        """The learners to read; None is everybody."""
        return None if self.named is None else {self.id_kind: self.named}

    def required(self, cohort: int) -> int:
        """How many learners of a cohort must have completed."""
        return self.count if self.count is not None else math.ceil(Fraction(self.share or "1") * cohort)


@dataclass(frozen=True)
class Requirement:
    """How many learners must have completed; the fields of :class:`Criteria` of the same names."""

    share: str | None
    count: int | None
    min_cohort: int


def parse_requirement(
    required_share: object, required_count: object, min_cohort: object, named: Sequence[str] | None = None
) -> Requirement:
    """How many learners must have completed, checked.

    :param named: the learners that are waited for; None is everybody.
    :raises ValueError: a parameter is invalid, share and count are both set, or more learners are required than named.
    """
    least, share = parse_int("min_cohort", min_cohort), parse_share("required_share", required_share)
    count = None if required_count is None else parse_int("required_count", required_count)
    for name, number in (("min_cohort", least), ("required_count", count)):
        if named is not None and number is not None and number > len(named):
            raise ValueError(f"{name}: it requires more learners than the {len(named)} that are named.")
    if count is None:
        return Requirement(share, None, least)
    if share != "1":
        raise ValueError("required_count: it replaces required_share. Set only one of them.")
    return Requirement(None, count, least)


def parse_share(name: str, value: object) -> str:
    """A share as text: above 0 and up to 1, given as a number, as text, or in percent (``"80%"``).

    :param name: the parameter's name, for the error.
    :raises ValueError: anything else.
    """
    text = str(value).strip()
    percent = text.endswith("%")
    digits = text.removesuffix("%").strip()
    try:
        # From the text, so that 0.55 of 100 is 55 and not 56, as it would be by the binary number. The exact value of a
        # text such as 1e-999999999 would take minutes to find.
        is_usual = "/" in digits or 0 < float(digits) <= 100
        found = Fraction(digits if is_usual else 0) / (100 if percent else 1)
    except (ValueError, ZeroDivisionError, OverflowError):
        found = Fraction(0)
    if isinstance(value, bool) or not 0 < found <= 1:
        raise ValueError(f"{name}: expected a share above 0 and up to 1, such as 0.8 or '80%', got {value!r}.")
    return str(found)
