"""What the exit codes of the command line mean, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_lms.lms.errors import REFUSALS, LmsError
from airflow_provider_lms.lms.http.rate_limit import CoordinationError


class ExitCode(IntEnum):
    """How a command has ended. Documented in ``docs/command-line.md``."""

    OK = 0
    FAILED = 1
    """It failed, or what was waited for was not met."""
    USAGE = 2
    """An argument or a field of the connection is invalid. Nothing was read."""
    REFUSED = 3
    """The LMS refused the credentials, a right, an id or a parameter. The same call would be refused again."""
    UNAVAILABLE = 4
    """The LMS, or the store that tasks share, is not available now, or allows no request now. Try again later."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""


class UsageError(ValueError):
    """An argument is wrong. The message names it."""


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that an error leads to."""
    from airflow_provider_lms.storage.errors import ManifestError  # here, for the package imports Airflow

    if isinstance(error, REFUSALS):
        return ExitCode.REFUSED
    if isinstance(error, CoordinationError) or (isinstance(error, LmsError) and error.transient):
        return ExitCode.UNAVAILABLE
    if isinstance(error, LmsError | OSError | ManifestError):
        return ExitCode.FAILED
    return ExitCode.USAGE if isinstance(error, ValueError) else ExitCode.FAILED


def message_of(error: BaseException) -> str:
    """One line that says what is wrong.

    The errors of this package hold no secret and no body, and an ``ImportError`` says which extra is not installed. Of
    an error that nobody expected that is not known, so only its type is named.
    """
    from airflow_provider_lms.storage.manifest import DatasetConflict  # here, for it imports Airflow

    if isinstance(error, LmsError | CoordinationError | DatasetConflict | ValueError | OSError | ImportError):
        return " ".join(str(error).split()) or type(error).__name__
    return (
        f"{type(error).__name__}. This is unexpected: run the command again with --verbose, and report what it shows."
    )
