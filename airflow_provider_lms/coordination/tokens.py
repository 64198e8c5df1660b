"""One access token for all processes that use an account. Only one of them requests it at a time."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from copy import copy

import msgspec

from airflow_provider_lms.coordination.encryption import derive
from airflow_provider_lms.coordination.store import DAY, Store, seconds_until
from airflow_provider_lms.lms.http.rate_limit import RetryAfter, WaitReason

log = logging.getLogger(__name__)

_RENEW_AHEAD = 60.0
_POLL_SECONDS = 0.25


class TokenState(msgspec.Struct):
    """What the processes share about an account's token. All times are the store's.

    :param encrypted: the token; empty if there is none.
    :param renew_at: when to request a new one.
    :param requester: the client that is requesting a token at the moment, until ``turn_ends_at`` at the latest.
    :param paused_until: until then nobody may request one.
    """

    encrypted: bytes = b""
    renew_at: float = 0.0
    requester: str = ""
    turn_ends_at: float = 0.0
    paused_until: float = 0.0


class SharedTokens:
    """The access token of an account, for one client.

    It is encrypted with a key that is derived from the account's own secrets, and so is the name under which it is
    stored. Access to the store alone is not enough to read it, or to see whose it is.

    :param store: what processes share.
    :param hosts: where the token comes from and where it is sent.
    :param client_id: the client ID.
    :param secrets: whatever else the token is issued for.
    :param bypass_cache: use no token that this client has not requested itself.
    """

    def __init__(
        self, store: Store, hosts: Sequence[str], client_id: str, secrets: Sequence[str], *, bypass_cache: bool = False
    ) -> None:
        self._store = store
        self._client = uuid.uuid4().hex[:16]
        self._bypass_cache = bypass_cache
        self._key, self._fernet = derive("token", "\n".join((*hosts, client_id)), "\n".join(secrets))
        self._decrypted = (b"", "")

    def sibling(self) -> SharedTokens:
        """The store of the same token for another thread."""
        sibling = copy(self)
        sibling._client = uuid.uuid4().hex[:16]
        return sibling

    def take(self, rejected: str | None, turn: float) -> str | RetryAfter | None:
        """The token; or None if it is this client's turn to request one, and then ``put`` or ``give_up`` must follow.

        :param rejected: a token that the LMS has rejected; it is not returned again.
        :param turn: seconds that the request may take; then it is another client's turn.
        :raises CoordinationError: the store cannot be used.
        """

        def claim(state: TokenState, now: float) -> str | RetryAfter | None:
            if (token := self._usable(state, now, rejected)) is not None:
                return token
            if (paused := seconds_until(state.paused_until, now)) > 0:
                reason = "too many access tokens were requested, and none are issued"
                return RetryAfter(paused, reason, locked=True, waits_for=WaitReason.TOKEN)
            turn_left = seconds_until(state.turn_ends_at, now)
            if turn_left > 0 and state.requester != self._client and not self._bypass_cache:
                reason = "another task is requesting an access token"
                return RetryAfter(min(_POLL_SECONDS, turn_left), reason, waits_for=WaitReason.TOKEN)
            state.requester, state.turn_ends_at = self._client, now + turn
            return None

        state, now = self._store.read(self._key, TokenState)
        return self._usable(state, now, rejected) or self._store.change(self._key, TokenState, claim)

    def put(self, token: str, expires_in: float) -> None:
        """Share a token.

        :param expires_in: its lifetime in seconds. It is renewed a minute before it expires; a token with less than two
            minutes is used for half of its lifetime.
        :raises CoordinationError: the store cannot be used.
        """
        encrypted = self._fernet.encrypt(token.encode())

        def share(state: TokenState, now: float) -> None:
            state.encrypted, state.renew_at = encrypted, now + expires_in - min(_RENEW_AHEAD, expires_in / 2)
            state.requester, state.turn_ends_at = "", 0.0

        self._store.change(self._key, TokenState, share)
        self._decrypted, self._bypass_cache = (encrypted, token), False

    def give_up(self, pause: float) -> None:
        """Let another client request a token.

        :param pause: seconds for which no client may request one.
        :raises CoordinationError: the store cannot be used.
        """

        def leave(state: TokenState, now: float) -> None:
            state.paused_until = now + max(min(pause, DAY), seconds_until(state.paused_until, now))
            if state.requester == self._client:
                state.requester, state.turn_ends_at = "", 0.0

        self._store.change(self._key, TokenState, leave)

    def lock_seconds_left(self) -> float:
        """How long no client may request a token, in seconds; 0 if any may.

        :raises CoordinationError: the store cannot be used.
        """
        state, now = self._store.read(self._key, TokenState)
        return seconds_until(state.paused_until, now)

    def lift_lock(self) -> None:
        """Let every client request a token again.

        :raises CoordinationError: the store cannot be used.
        """

        def unlock(state: TokenState, _: float) -> None:
            state.paused_until = 0.0

        self._store.change(self._key, TokenState, unlock)

    def _usable(self, state: TokenState, now: float, rejected: str | None) -> str | None:
        if self._bypass_cache or not state.encrypted or not now < state.renew_at:
            return None
        if state.encrypted != self._decrypted[0]:
            self._decrypted = state.encrypted, self._decrypt(state.encrypted)
        token = self._decrypted[1]
        return None if token in ("", rejected) else token

    def _decrypt(self, encrypted: bytes) -> str:
        """The token; empty if what is stored is damaged. Then a new one is requested, which repairs the store."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(encrypted).decode()
        except (InvalidToken, ValueError):
            log.warning("The shared access token cannot be decrypted. A new one is requested.")
            return ""
