"""Carries out a command: errors become one line on stderr and an exit code, and Ctrl-C cleans up."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn
from warnings import catch_warnings

from airflow_provider_lms.command_line.exit_codes import ExitCode, exit_code_of, message_of
from airflow_provider_lms.command_line.option_names import with_options
from airflow_provider_lms.command_line.output import show_note, stdout_for_results

_PACKAGE = "airflow_provider_lms"


def guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Carry out a command.

    :param run: the command; returns the exit code.
    :return: the exit code. Nothing is raised, whatever happens.
    """
    verbose: bool = arguments.verbose
    # Airflow and its libraries warn their own developers, whatever filters are set. What is recorded is not shown.
    with _logging(verbose), stdout_for_results(others_to_stderr=verbose), catch_warnings(record=not verbose):
        return _guarded(run, arguments)


def _guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    try:
        with _ended_by_sigterm():
            return int(run(arguments))
    except KeyboardInterrupt:
        # The clients were closed as the exception passed, and have left the queue of the rate limit.
        show_note("Interrupted.")
        return ExitCode.INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.FAILED
    except BrokenPipeError:
        return ExitCode.FAILED  # whoever reads the results, such as head, has enough of them
    except Exception as error:  # a user of a shell is to see one line, and no traceback
        if arguments.verbose:
            logging.getLogger(_PACKAGE).exception("The command failed.")
        cause = _cause(error)
        show_note(f"error: {with_options(message_of(cause), arguments)}")
        return exit_code_of(cause)


def _cause(error: Exception) -> Exception:
    """The error of the LMS, where an operator has wrapped it for Airflow."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    if isinstance(error, AirflowFailException) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


class _NoteHandler(logging.Handler):
    """Shows what is logged on stderr, beside a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        show_note(text)


@contextmanager
def _logging(verbose: bool) -> Iterator[None]:
    """Show this package's warnings on stderr, and with ``--verbose`` everything that it logs."""
    log, handler = logging.getLogger(_PACKAGE), _NoteHandler()
    before = log.level, log.propagate
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End by an exception at SIGTERM, so that clients are closed and leave the queue of the rate limit."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(int(ExitCode.TERMINATED))

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread, as in some tests
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
