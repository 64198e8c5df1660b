"""What a command is. Imports argparse alone: see ``commands.py``."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False  # typing would be one more import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Command:
    """A command.

    :param name: what users type.
    :param purpose: one line for the help.
    :param add_arguments: adds its arguments to a parser.
    :param run: carries it out; returns the exit code.
    """

    def __init__(
        self,
        name: str,
        purpose: str,
        add_arguments: Callable[[argparse.ArgumentParser], None],
        run: Callable[[argparse.Namespace], int],
    ) -> None:
        self.name = name
        self.purpose = purpose
        self.add_arguments = add_arguments
        self._run = run

    def run(self, arguments: argparse.Namespace) -> int:
        """Carry it out; errors become a line on stderr and an exit code."""
        from airflow_provider_lms.command_line.running import guarded

        return guarded(self._run, arguments)


class CommandGroup:
    """Commands under one name.

    :param default: the command that is meant if none is named.
    """

    def __init__(self, name: str, purpose: str, commands: Sequence[Command], default: str) -> None:
        self.name = name
        self.purpose = purpose
        self.commands = commands
        self.default = default


def add_output(parser: argparse.ArgumentParser) -> None:
    """The arguments that every command has."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--verbose", action="store_true", help="log what happens, and show where an error comes from")
