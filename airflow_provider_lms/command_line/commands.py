"""The commands and their arguments, for ``python -m airflow_provider_lms`` and for ``airflow lms``.

Airflow imports this module whenever somebody calls ``airflow``, whatever the command. So this module and the
three beside it that it needs import argparse and nothing else. What a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse

from airflow_provider_lms.command_line.command import Command, CommandGroup
from airflow_provider_lms.command_line.lms_commands import COMMANDS
from airflow_provider_lms.command_line.simulator_commands import SIMULATOR

TYPE_CHECKING = False  # typing would be one more import
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_EXIT_CODES = (
    "Exit codes: 0 done, 1 failed or not met, 2 wrong usage, 3 refused by the LMS, 4 LMS not available now, 130 Ctrl-C."
)
_COMMANDS: tuple[Command | CommandGroup, ...] = (*COMMANDS, SIMULATOR)


def main(given: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    :param given: the arguments; None takes those of the process.
    :return: the exit code.
    """
    import sys

    words = with_default_command(sys.argv[1:] if given is None else given)
    parser = build_parser()
    arguments = parser.parse_args(words)
    command: Command | None = arguments.lms_command
    if command is None:
        parser.print_help(sys.stderr)
        return 2
    return command.run(arguments)


def with_default_command(words: Sequence[str]) -> list[str]:
    """The arguments, with the group's default command if none is named: ``simulator --port 1`` starts it."""
    asks_for_help = words[1:2] in (["-h"], ["--help"])
    names_none = len(words) == 1 or (len(words) > 1 and words[1].startswith("-"))
    if words and words[0] == SIMULATOR.name and names_none and not asks_for_help:
        return [SIMULATOR.name, SIMULATOR.default, *words[1:]]
    return list(words)


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m airflow_provider_lms``."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_lms",
        description="Look into a learning management system, and read it, without a running Airflow.",
        epilog=_EXIT_CODES,
    )
    parser.set_defaults(lms_command=None)
    _add_commands(parser, _COMMANDS)
    return parser


def _add_commands(parser: argparse.ArgumentParser, commands: Iterable[Command | CommandGroup]) -> None:
    commands_of = parser.add_subparsers(metavar="COMMAND")
    for each in commands:
        child = commands_of.add_parser(each.name, help=each.purpose, description=each.purpose, epilog=_EXIT_CODES)
        if isinstance(each, CommandGroup):
            _add_commands(child, each.commands)
        else:
            each.add_arguments(child)
            child.set_defaults(lms_command=each)


def get_airflow_commands() -> list[Any]:
    """The same commands for Airflow, which adds them as ``airflow lms``. The provider's metadata names this function.

    :return: Airflow's ``GroupCommand`` with the commands.
    """
    from airflow.cli.cli_config import GroupCommand

    return [
        GroupCommand(
            name="lms",
            help="Look into a learning management system, and read it",
            subcommands=tuple(map(_for_airflow, _COMMANDS)),
            epilog=_EXIT_CODES,
        )
    ]


def _for_airflow(command: Command | CommandGroup) -> Any:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    if isinstance(command, CommandGroup):
        return GroupCommand(command.name, command.purpose, tuple(map(_for_airflow, command.commands)))

    def run(arguments: argparse.Namespace) -> None:
        # Airflow ignores what a command returns.
        raise SystemExit(command.run(arguments))

    return ActionCommand(command.name, command.purpose, run, (_Arguments(command),))  # type: ignore[arg-type]


class _Arguments:
    """All arguments of a command, in the place of one ``Arg`` of Airflow."""

    flags = ("--all",)  # Airflow sorts by it

    def __init__(self, command: Command) -> None:
        self._command = command

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Called by Airflow."""
        self._command.add_arguments(parser)
