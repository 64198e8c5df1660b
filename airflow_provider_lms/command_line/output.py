"""What the command line shows: results on stdout, as a table or as JSON, and everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from itertools import zip_longest
from typing import Any, Protocol, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

_LONGEST_CELL = 200
_GAP = 2
"""Between two columns."""
_results: TextIO | None = None
"""Where results go while stdout is kept for them; None is stdout itself."""
_notes = Console(stderr=True, markup=False, highlight=False)


@contextmanager
def stdout_for_results(*, others_to_stderr: bool) -> Iterator[None]:
    """Keep stdout for results, so that they can be piped. Airflow, too, writes its log there.

    :param others_to_stderr: whether what else is written to stdout goes to stderr; otherwise nobody sees it.
    """
    global _results
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        others = sys.stderr if others_to_stderr else nowhere
        try:
            number = sys.stdout.fileno()
        except (AttributeError, OSError):  # not a file, as in a test
            _results = sys.stdout
            try:
                with redirect_stdout(others):
                    yield
            finally:
                _results = None
            return
        # By its number, since Airflow's log may have been set up with this stream before.
        sys.stdout.flush()
        results = os.fdopen(os.dup(number), "w", encoding=sys.stdout.encoding, errors="replace")
        # Whoever reads the results, such as head, may have enough of them before they are all written.
        with suppress(BrokenPipeError), results as _results:
            os.dup2(others.fileno(), number)
            try:
                yield
            finally:
                with suppress(BrokenPipeError):
                    sys.stdout.flush()
                os.dup2(_results.fileno(), number)
                _results = None


def show_note(text: str) -> None:
    """Show a line on stderr."""
    # By the console of the progress bar, which goes on below the line.
    _notes.print(Text(_plain(text, lines=True)), soft_wrap=True)


def show_line(text: str) -> None:
    """Show a line on stdout."""
    _stdout().print(Text(_plain(text)), soft_wrap=True)


def show_json(value: Any) -> None:
    """Show a value as JSON on stdout."""
    stream = _results or sys.stdout
    stream.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    stream.flush()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table on stdout.

    Where that is no terminal, each row is one line, so that it can be searched. On a terminal, cells are wrapped
    between words; where not even that would fit, each row becomes a block.
    """
    console, cells = _stdout(), [[_cell(value) for value in row] for row in rows]
    widths = _widths(columns, cells, words=False)
    if _is_terminal(console):
        least = _widths(columns, cells, words=True)
        if _total(least) > console.width:
            _show_blocks(console, columns, cells)
            return
        widths = _shrunk(widths, least, console.width)
    _show_rows(console, columns, cells, widths)


def show_records(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Show records as a table, or where it would not fit, each record as a block with a line for each value."""
    console = _stdout()
    cells = [[_shortened(_cell(record.get(name))) for name in columns] for record in records]
    widths = _widths(columns, cells, words=False)
    if _total(widths) <= console.width:
        _show_rows(console, columns, cells, widths)
    else:
        _show_blocks(console, columns, cells)


class Steps(Protocol):
    """Shows how far something has come."""

    def __call__(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Show it.

        :param text: what was done so far.
        :param done: steps that are done; None if they are not known.
        :param total: how many there are.
        """


@contextmanager
def progress(label: str) -> Iterator[Steps]:
    """A progress bar on stderr. Nothing is shown where that is no terminal.

    :param label: what is being done.
    """
    if not _notes.is_terminal:
        yield _show_nothing
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        console=_notes,
        transient=True,
    )
    with bar:
        task: TaskID = bar.add_task(label, total=None, text="")

        def show(text: str, done: int | None = None, total: int | None = None) -> None:
            bar.update(task, text=text, completed=done or 0, total=total)

        yield show


def _show_nothing(text: str, done: int | None = None, total: int | None = None) -> None:
    """Progress where there is no terminal."""


def _show_rows(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    # Not by rich's table: its releases disagree about the space around columns whose width is given.
    for number, row in enumerate([columns, *rows]):
        wrapped = [Text(cell).wrap(console, max(width, 1)) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*wrapped, fillvalue=Text()):
            cells = (set_cell_size(part.plain, width) for part, width in zip(parts, widths, strict=True))
            line = (" " * _GAP).join(cells).rstrip()
            console.print(Text(line, style="bold" if number == 0 else ""), soft_wrap=True)


def _show_blocks(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    name_width = max(map(len, columns), default=0)
    indent = name_width + 4
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"record {number}", style="bold"))
        for name, cell in zip(columns, row, strict=True):
            if not cell:
                continue
            text, lines = Text(cell), [Text(cell)]
            if _is_terminal(console):
                # A word that is longer than a line goes over its end: the terminal copies it as one word.
                longest = max(map(cell_len, cell.split()), default=1)
                lines = [*text.wrap(console, max(console.width - indent, longest))]
            for place, line in enumerate(lines):
                start = " " * indent if place else f"  {name:<{name_width}}  "
                console.print(Text(start) + line, soft_wrap=True)


def _is_terminal(console: Console) -> bool:
    # Rich takes a pipe for a terminal where FORCE_COLOR is set.
    return console.file.isatty()


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool) -> list[int]:
    """The width of each column: that of its longest cell, or of its longest word."""
    return [
        max(cell_len(part) for cell in column for part in ((cell.split() or [""]) if words else [cell]))
        for column in zip(columns, *rows, strict=True)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * max(len(widths) - 1, 0)


def _shrunk(widths: Sequence[int], least: Sequence[int], most: int) -> list[int]:
    """The widths, with the widest columns made narrower until all fit.

    :param least: below this none becomes narrower. Together they fit.
    :param most: the width of the terminal.
    """
    for widest in range(max(widths, default=0), 0, -1):
        found = [max(low, min(each, widest)) for each, low in zip(widths, least, strict=True)]
        if _total(found) <= most:
            return found
    return [*least]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _shortened(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 3]}..."


def _plain(text: str, *, lines: bool = False) -> str:
    """The text without what could steer a terminal: an LMS, or whoever types a course's title, may send anything."""
    return "".join(
        each if each.isprintable() or (lines and each == "\n") else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def _stdout() -> Console:
    return Console(file=_results, markup=False, highlight=False)
