"""The addresses of an account's courses, so that not every task has to ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from airflow_provider_lms.coordination.encryption import derive
from airflow_provider_lms.coordination.store import DAY, Store
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

_KEEP_SECONDS = 7 * DAY
_KEEP_NONE_SECONDS = DAY
"""Shorter: somebody may give the API key's role the missing right."""
_MOST = 2_000
"""More than a task can be mapped over with Airflow's default ``max_map_length`` (1,024)."""
_LONGEST = 2_000


class Link(msgspec.Struct, array_like=True, gc=False):
    """A course's address, empty if it has none, and until when that is believed."""

    url: str
    until: float


class LinksState(msgspec.Struct):
    """What the processes share: the addresses by course id, encrypted."""

    encrypted: bytes = b""


class SharedLinks:
    """The addresses of an account's courses.

    They are encrypted like the access token. Otherwise whoever can write to the store could plant a link to another
    site in Airflow's UI.

    No method raises. If the store cannot be used, nothing is known and nothing is kept.

    :param store: what processes share.
    :param host: the API's host. Together with ``client_id`` it identifies the account.
    :param secrets: the account's secrets.
    """

    def __init__(self, store: Store, host: str, client_id: str, secrets: tuple[str, ...]) -> None:
        self._store = store
        self._key, self._fernet = derive("links", f"course links\n{host}\n{client_id}", "\n".join(secrets))

    def find(self, course_id: str) -> str | None:
        """The address of a course; empty if it has none, None if that is not known."""
        with suppress(CoordinationError):
            state, now = self._store.read(self._key, LinksState)
            if (link := self._live(state, now).get(course_id.casefold())) is not None:
                return link.url
        return None

    def put(self, links: Mapping[str, str]) -> None:
        """Keep addresses for a week. That a course has none is kept for a day.

        :param links: by course id; empty for a course without one.
        """

        def add(state: LinksState, now: float) -> None:
            known = self._live(state, now)
            for course_id, url in links.items():
                if len(url) <= _LONGEST:
                    known[course_id.casefold()] = Link(url, now + (_KEEP_SECONDS if url else _KEEP_NONE_SECONDS))
            newest = sorted(known.items(), key=lambda item: item[1].until)[-_MOST:]
            state.encrypted = self._fernet.encrypt(msgspec.msgpack.encode(dict(newest)))

        if links:
            with suppress(CoordinationError):
                self._store.change(self._key, LinksState, add)

    def _live(self, state: LinksState, now: float) -> dict[str, Link]:
        """What is still believed. Nothing, if what is stored is damaged or was written by somebody else."""
        from cryptography.fernet import InvalidToken

        if not state.encrypted:
            return {}
        try:
            known = msgspec.msgpack.decode(self._fernet.decrypt(state.encrypted), type=dict[str, Link])
        except (InvalidToken, msgspec.MsgspecError):
            return {}
        return {course_id: link for course_id, link in known.items() if now < link.until <= now + _KEEP_SECONDS}
