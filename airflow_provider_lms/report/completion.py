"""Makes the report about completions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_lms import clock
from airflow_provider_lms.lms.parameters import parse_datetime
from airflow_provider_lms.report.figures import EXPIRY_DAYS, EnrollmentGroup, Figures, Privacy, count
from airflow_provider_lms.report.readers import all_readers, read_rows
from airflow_provider_lms.report.rows import Stage
from airflow_provider_lms.storage import read_records
from airflow_provider_lms.storage.files import folder, write_bytes

if TYPE_CHECKING:
    from airflow_provider_lms.storage.files import Location

Datasets: TypeAlias = "Location | Mapping[str, Any] | Iterable[Location | Mapping[str, Any]]"


@dataclass(frozen=True)
class Section:
    """One part of the report.

    :param chart: as SVG; empty if there is nothing to show.
    :param rows: the figures of the chart, in text.
    """

    heading: str
    text: str
    chart: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def completion_report(
    output: Location,
    *,
    results: Datasets,
    people: Datasets | None = None,
    departments: Datasets | None = None,
    enrollments: Datasets | None = None,
    title: str = "Training completion",
    as_of: date | str | None = None,
    show_people: bool = False,
    smallest_group: int = 5,
) -> dict[str, Any]:
    """Make a report about completions from datasets: one HTML file that needs no network.

    It shows completion by course and department, the trend by week, overdue enrollments by manager, certificates that
    expire, and who may not complete a course in time. Parts whose dataset is not given are left out.

    Without ``show_people`` nobody is named: managers are numbered, learners are only counted, and groups of fewer than
    ``smallest_group`` people are merged. Ids may be hashed.

    :param output: the file to write: a path or a URL, such as ``s3://lake/reports/completion.html``.
    :param results: course results (iSpring Learn) or course progress (Zoho People): a folder, a task's summary, or a
        list of these. Of several enrollments of a learner in a course, the latest counts.
    :param people: users (iSpring Learn) or employees (Zoho People), for departments, managers and names.
    :param departments: departments (iSpring Learn), for their names.
    :param enrollments: enrollments (iSpring Learn), for certificates that expire.
    :param title: the heading.
    :param as_of: the day that the report is about, also as text such as ``2026-11-30``; None is today in UTC.
    :param show_people: name learners at risk and managers, and show groups of any size.
    :param smallest_group: how many people a group must have if nobody is named; at least 2.
    :return: ``uri`` of the file, and ``learners``, ``enrollments``, ``completed``, ``overdue`` and ``at_risk``.
    :raises ValueError: a parameter is invalid, a dataset is of another listing or lacks a column, or the report would
        be about nobody or about too few people.
    :raises ImportError: the extra ``report`` is not installed.

    Example::

        completion_report("/tmp/completion.html", results="s3://lake/lms/results", people="s3://lake/lms/users")
    """
    if smallest_group < 2:
        raise ValueError("smallest_group: must be at least 2. To show single people, let it name people (show_people).")
    _check_installed()
    day = clock.utcnow().date() if as_of is None else parse_datetime("as_of", as_of).date()
    privacy = Privacy(show_people, smallest_group)
    figures = _figures(results, people, departments, enrollments, privacy, day)
    path = folder("output", output)
    write_bytes(path, _page(figures, title, day, privacy).encode())
    whole = figures.whole
    return {
        "uri": str(path),
        "learners": len(whole.learners),
        "enrollments": whole.total,
        "completed": whole.completed,
        "overdue": whole.overdue,
        "at_risk": whole.at_risk,
    }


def _figures(
    results: Datasets,
    people: Datasets | None,
    departments: Datasets | None,
    enrollments: Datasets | None,
    privacy: Privacy,
    day: date,
) -> Figures:
    readers = all_readers()
    staff = None if people is None else read_rows("people", [each.people for each in readers], _read(people))
    named = read_rows(
        "departments", [each.departments for each in readers], () if departments is None else _read(departments)
    )
    issued = None
    if enrollments is not None:
        issued = read_rows("enrollments", [each.certificates for each in readers], _read(enrollments))
    return count(
        read_rows("results", [each.enrolled for each in readers], _read(results)),
        None if staff is None else {each.id: each for each in staff},
        {each.id: each.name for each in named},
        issued,
        privacy,
        day,
    )


def _read(source: Datasets) -> Iterator[Mapping[str, Any]]:
    return read_records(source)


def _check_installed() -> None:
    try:
        import jinja2
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError("The report needs more packages: pip install 'airflow-provider-lms[report]'.") from error
    _ = jinja2, mpl


def _page(figures: Figures, title: str, day: date, privacy: Privacy) -> str:
    from jinja2 import Environment

    template = resources.files(__package__).joinpath("completion.html").read_text(encoding="utf-8")
    note = f"Nobody is named, and groups of fewer than {privacy.smallest_group} people are merged."
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            title=title,
            as_of=f"{day:%B} {day.day}, {day.year}",
            note="" if privacy.show_people else note,
            whole=figures.whole,
            sections=list(_sections(figures)),
            learners=figures.learners_at_risk,
        )
    )


def _sections(figures: Figures) -> Iterator[Section]:
    from airflow_provider_lms.report import charts

    yield _progress("By course", figures.courses)
    if figures.departments is not None:
        yield _progress("By department", figures.departments)
    undated = f" {figures.undated:,} without a date that could be read are left out." if figures.undated else ""
    yield Section(
        "By week",
        f"Enrollments completed in each of the last {len(figures.weeks)} weeks.{undated}",
        charts.weekly_line(figures.weeks),
        ("Week from", "Completed"),
        [(f"{monday}", f"{number:,}") for monday, number in figures.weeks.items()],
    )
    if figures.managers is not None:
        late = sorted((each for each in figures.managers if each.overdue), key=lambda each: -each.overdue)
        yield Section(
            "Overdue by manager",
            "Enrollments past their due date and not completed." if late else "Nothing is overdue.",
            charts.overdue_bars(late) if late else "",
            ("Manager", "Learners", "Overdue"),
            [(group.label, f"{len(group.learners):,}", f"{group.overdue:,}") for group in late],
        )
    if figures.expiring is not None:
        yield _certificates(figures.expiring, figures.unread_expiries)
    risky = sorted((each for each in figures.courses if each.at_risk), key=lambda each: -each.at_risk)
    yield Section(
        "At risk by course",
        "Overdue, or due within two weeks with half or less done." if risky else "No enrollment is at risk.",
        charts.risk_bars(risky) if risky else "",
        ("Course", "At risk", "Enrollments"),
        [(group.label, f"{group.at_risk:,}", f"{group.total:,}") for group in risky],
    )


def _certificates(groups: Sequence[EnrollmentGroup], unread: int) -> Section:
    from airflow_provider_lms.report import charts

    text = "Within 30, 60 and 90 days." if groups else "None in the next 90 days, or of too few people."
    return Section(
        "Certificates that expire",
        f"{text} {unread:,} with a date that could not be read are left out." if unread else text,
        charts.expiry_bars(groups) if groups else "",
        ("Course", *(f"{days} days" for days in EXPIRY_DAYS)),
        [(group.label, *(f"{group.expiring[days]:,}" for days in EXPIRY_DAYS)) for group in groups],
    )


def _progress(heading: str, groups: Sequence[EnrollmentGroup]) -> Section:
    from airflow_provider_lms.report import charts

    return Section(
        heading,
        "Enrollments by progress, and the share that is completed.",
        charts.progress_bars(groups),
        ("", "Learners", *(stage.value.capitalize() for stage in Stage), "Overdue"),
        [
            (
                group.label,
                f"{len(group.learners):,}",
                *(f"{group.enrollments[stage]:,}" for stage in Stage),
                f"{group.overdue:,}",
            )
            for group in groups
        ],
    )
