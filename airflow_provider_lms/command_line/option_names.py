"""Names options in errors: an operator's error names its parameter, which users of a shell have not given."""

from __future__ import annotations

import argparse
import re

OPTIONS = {
    "output_path": "to",
    "output": "to",
    "output_format": "format",
    "compression": "compression",
    "if_exists": "if_exists",
    "columns": "columns",
    "drop_columns": "drop_columns",
    "hash_columns": "hash_columns",
    "required_share": "share",
    "required_count": "count",
    "results": "results",
    "people": "people",
    "departments": "departments",
    "enrollments": "enrollments",
    "smallest_group": "smallest_group",
    "show_people": "show_people",
    "learner_ids": "learner",
    "lms": "lms",
}
"""The option by the parameter. Both as Python spells them."""


def with_options(message: str, arguments: argparse.Namespace) -> str:
    """An error's message, with the options that the user can give in place of parameters.

    :param message: such as ``output_format: expected ...``. If it does not begin with parameters, it stays as it is.
    :param arguments: those of the command. Parameters for which it has no option stay.
    """
    known = {name: f"--{option.replace('_', '-')}" for name, option in OPTIONS.items() if option in vars(arguments)}
    start, colon, rest = message.partition(": ")
    names = start.split(", ")
    if not colon or not known.keys() >= set(names):
        return message
    # Further on, a name without an underscore is a word like others, and one in quotes or in a path is the user's.
    for name in known:
        if "_" in name:
            rest = re.sub(rf"(?<![^\s(]){name}='(\w+)'", rf"{known[name]} \1", rest)
            rest = re.sub(rf"(?<![^\s(]){name}(?![\w'/-])", known[name], rest)
    return f"{', '.join(known[name] for name in names)}: {rest}"
