"""What a plan and a report say to people, in Markdown. Nobody is named: it goes into XCom and into the UI."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_lms.sync.changes import REMOVALS, Action, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_lms.sync.changes import AppliedChange
    from airflow_provider_lms.sync.plan import Plan

_MOST_COURSES = 20


def summarize_plan(plan: Plan, location: str) -> str:
    """A plan for somebody who is to approve it.

    :param location: the folder with the plan.
    """
    counts = plan.counts()
    changes = sum(counts.values())
    lines = [f"### Plan for {plan.kind} in {plan.account}", ""]
    if plan.refusals:
        lines += ["**This plan must not be applied.**", "", *(f"* {each}" for each in plan.refusals), ""]
    removed = sum(number for action, number in counts.items() if action in REMOVALS)
    lines += [
        f"Changes: {changes:,}, of which removals: {removed:,}. Desired rows that are fulfilled already: "
        f"{plan.unchanged:,}.",
        "",
    ]
    lines += _table(("change", "number"), counts)
    shown = {name: value for name, value in plan.settings.items() if value is not None}
    lines += [f"Made with {', '.join(f'{name}={value}' for name, value in shown.items())}.", ""]
    if plan.notes:
        lines += [*(f"* {each}" for each in plan.notes), ""]
    fields = Counter(name for each in plan.changes if each.action == Action.UPDATE for name in each.new_values)
    lines += _table(("updated field", "people"), dict(fields.most_common()))
    courses = Counter(each.course_id for each in plan.changes if each.course_id and each.action != Action.SKIP)
    lines += _table(("course", "changes"), dict(courses.most_common(_MOST_COURSES)))
    if len(courses) > _MOST_COURSES:
        lines += [f"and {len(courses) - _MOST_COURSES:,} more courses.", ""]
    lines += _table(("skipped, because", "rows"), plan.skipped())
    return "\n".join([*lines, f"The changes, one by one: `{location}`", "", f"Hash: `{plan.sha256}`"])


def summarize_report(plan: Plan, rows: Sequence[AppliedChange], location: str, *, is_repeated: bool = False) -> str:
    """What came of a plan.

    :param location: the folder with the report.
    :param is_repeated: whether all of it had been applied before.
    """
    lines = [f"### Applied to {plan.kind} in {plan.account}", ""]
    if is_repeated:
        lines += ["**This plan had been applied before.** Nothing was read or sent; this is what came of it then.", ""]
    lines += _table(("outcome", "changes"), outcomes(rows))
    by_action = Counter((each.action, each.outcome) for each in rows if each.outcome != Outcome.SKIPPED)
    lines += _table(
        ("change and outcome", "number"), {f"{action}, {outcome}": n for (action, outcome), n in by_action.items()}
    )
    return "\n".join([*lines, f"One by one: `{location}`", "", f"Hash of the plan: `{plan.sha256}`"])


def outcomes(rows: Iterable[AppliedChange]) -> dict[str, int]:
    """How often there was each outcome."""
    found = Counter(each.outcome for each in rows)
    return {outcome: found[outcome] for outcome in Outcome if found[outcome]}


def _table(head: tuple[str, str], rows: Mapping[str, int]) -> list[str]:
    if not rows:
        return []
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {n:,} |" for name, n in rows.items()), ""]
