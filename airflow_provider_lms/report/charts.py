"""The charts of the report, as SVG that stands in the page itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from airflow_provider_lms.report.figures import EXPIRY_DAYS, EnrollmentGroup
from airflow_provider_lms.report.rows import Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 4.4
"""Inches. On a phone a chart is shown at about this width, so its text is as large as the page's."""
_ROW = 0.5
_FRAME = 0.9
_LABEL = 34
_COLORS: Mapping[Stage, str] = {
    Stage.COMPLETED: "#2f7d4f",
    Stage.IN_PROGRESS: "#e3a23a",
    Stage.NOT_STARTED: "#b9c0c8",
    Stage.UNSUCCESSFUL: "#b5443c",
    Stage.UNKNOWN: "#6b4f8a",
}
_EXPIRY_COLORS = dict(zip(EXPIRY_DAYS, ("#b5443c", "#e3a23a", "#8aa4c0"), strict=True))
_INK = "#2b3138"
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text, in the font of the page
    "svg.hashsalt": "airflow-provider-lms",  # the same figures give the same file
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def progress_bars(groups: Sequence[EnrollmentGroup]) -> str:
    """For each group a bar: how many of its enrollments are completed, in progress and so on, in percent."""
    series = {
        stage.value: ([100 * group.enrollments[stage] / group.total for group in groups], color)
        for stage, color in _COLORS.items()
        if any(group.enrollments[stage] for group in groups)
    }
    bars = [(group.label, f"{group.share:.0%} completed") for group in groups]
    return _stacked(bars, series, "% of enrollments", limit=100)


def overdue_bars(groups: Sequence[EnrollmentGroup]) -> str:
    """For each group a bar with its overdue enrollments."""
    series = {"overdue": ([float(group.overdue) for group in groups], _COLORS[Stage.UNSUCCESSFUL])}
    return _stacked([(group.label, f"{group.overdue:,}") for group in groups], series, "overdue enrollments")


def risk_bars(groups: Sequence[EnrollmentGroup]) -> str:
    """For each group a bar with its enrollments at risk."""
    series = {"at risk": ([float(group.at_risk) for group in groups], _COLORS[Stage.IN_PROGRESS])}
    return _stacked([(group.label, f"{group.at_risk:,}") for group in groups], series, "enrollments at risk")


def expiry_bars(groups: Sequence[EnrollmentGroup]) -> str:
    """For each group a bar with its certificates that expire soon."""
    series = {
        f"within {days} days": ([float(group.expiring[days]) for group in groups], color)
        for days, color in _EXPIRY_COLORS.items()
    }
    return _stacked([(group.label, f"{group.expiring.total():,}") for group in groups], series, "certificates")


def weekly_line(weeks: Mapping[date, int]) -> str:
    """How many enrollments were completed in each week."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(2.4)
    days, counts = list(weeks), list(weeks.values())
    axes.fill_between(days, counts, color=_COLORS[Stage.COMPLETED], alpha=0.2, linewidth=0)  # type: ignore[arg-type]
    axes.plot(days, counts, color=_COLORS[Stage.COMPLETED], linewidth=2)  # type: ignore[arg-type]
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    locator: Any = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylabel("completed in a week")
    return _svg(figure)


def _stacked(
    bars: Sequence[tuple[str, str]],
    series: Mapping[str, tuple[Sequence[float], str]],
    unit: str,
    *,
    limit: float | None = None,
) -> str:
    """Horizontal bars, each with a label and a value above it: on a phone there is no room beside it.

    :param series: the values of all bars and their color, by the text of the legend.
    :param limit: the end of the axis.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(_FRAME + _ROW * len(bars))
    rows = range(len(bars))
    left = [0.0] * len(bars)
    for name, (values, color) in series.items():
        axes.barh(rows, values, left=left, color=color, height=0.4, label=name)
        left = [start + value for start, value in zip(left, values, strict=True)]
    for row, (label, value) in enumerate(bars):
        above: Any = {"y": row - 0.27, "va": "bottom", "parse_math": False}  # a title may have dollar signs
        axes.text(x=0, s=shorten(label, _LABEL, placeholder="..."), ha="left", **above)
        axes.text(x=1, s=value, ha="right", transform=axes.get_yaxis_transform(), **above)
    axes.set_ylim(len(bars) - 0.6, -0.75)
    axes.set_xlim(0, limit)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_xlabel(unit)
    if len(series) > 1:
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return _svg(figure)


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        return figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    content = StringIO()
    with rc_context(_STYLE):
        # Without a date: the same figures give the same file.
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue()
    return text[text.index("<svg") :]
