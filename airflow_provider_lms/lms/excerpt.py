"""Text from a response, made fit for a message: an LMS, or whoever answers in its place, may send anything."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LENGTH = 40
_MOST = 5
_EMAIL = re.compile(r"\S+@\S+")


def excerpt(text: object) -> str:
    r"""A text from a response as one short, printable word or phrase, without e-mail addresses.

    Example::

        >>> excerpt("results")
        'results'
        >>> excerpt("by ada@example.com\n[ERROR] all is lost")
        'by <e-mail>?[ERROR] all is lost'
    """
    whole = str(text)
    shown = _EMAIL.sub("<e-mail>", whole[: 10 * _LENGTH])
    shown = "".join(character if character.isprintable() else "?" for character in shown)
    return shown if len(shown) <= _LENGTH and len(whole) <= 10 * _LENGTH else f"{shown[:_LENGTH]}..."


def excerpts(texts: Iterable[object]) -> str:
    """Several texts from a response, sorted, with a count in place of those that are too many."""
    words = sorted({excerpt(text) for text in texts})
    if not words:
        return "nothing"
    more = f" and {len(words) - _MOST:,} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more
