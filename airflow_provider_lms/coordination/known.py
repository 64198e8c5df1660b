"""What a process knows of the state that it shares, in case the store forgets it."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from airflow_provider_lms import clock
from airflow_provider_lms.coordination.store import Store
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

_LATE_SECONDS = 1.0
"""By so much a lock may be shorter when it has been stored: that takes time, too."""


class _StateId(msgspec.Struct):
    """The id of a state, as it was when a process of this host has last used it."""

    id: str = ""


class Known:
    """What is known of the state of an account's rate limit.

    :param key: the key of the state.
    :param host_store: keeps the id for later processes of this host; None if only this process knows it.
    :param state_id: the id as an earlier process of the same task knew it; empty if there was none.
    """

    def __init__(self, key: str, host_store: Store | None = None, state_id: str = "") -> None:
        self._key = key
        self._host_store = host_store
        self._id: str | None = state_id or None
        self._is_kept = False
        self._locked_until = 0.0
        self._lock_is_stored = True

    @property
    def id(self) -> str:
        """The id that the state had when it was last used; empty if nobody here has used it."""
        if self._id is None:
            self._id = ""
            if self._host_store is not None:
                with suppress(CoordinationError):  # it only helps to notice more
                    self._id = self._host_store.read(self._key, _StateId)[0].id
        return self._id

    def note(self, state_id: str, lock_seconds: float) -> None:
        """Remember a state that was stored.

        :param lock_seconds: how long the account is locked, as the state says.
        """
        locked_until = clock.monotonic() + lock_seconds
        # Another thread may have met a lock since this state was stored.
        if self._lock_is_stored or locked_until > self._locked_until - _LATE_SECONDS:
            self._locked_until, self._lock_is_stored = locked_until, True
        if self._is_kept and state_id == self._id:
            return
        # Once in each process at least: what nobody stores for a week is forgotten.
        self._id, self._is_kept = state_id, True
        if self._host_store is not None:

            def put(found: _StateId, _: float) -> None:
                found.id = state_id

            with suppress(CoordinationError):
                self._host_store.change(self._key, _StateId, put)

    def note_lock(self, seconds: float) -> None:
        """Remember a lock that is not stored yet."""
        self._locked_until = max(self._locked_until, clock.monotonic() + seconds)
        self._lock_is_stored = False

    def forget_lock(self) -> None:
        """Remember that the account is not locked."""
        self._locked_until, self._lock_is_stored = 0.0, True

    def missing_lock(self, state_id: str) -> float:
        """Seconds of a lock that a state lacks; 0 if none is missing."""
        if state_id == self.id and self._lock_is_stored:
            return 0.0
        return max(self._locked_until - clock.monotonic(), 0.0)
