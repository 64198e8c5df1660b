"""One access token for all processes that use an account, asked for by one of them at a time."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_lms.coordination.store import Store, Wait

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_LEAD = 60.0
_ASK_AGAIN = 0.25


class Kept(msgspec.Struct):
    """What is kept of an account's token. All times are the store's.

    ``holder`` is the client that asks for a token at the moment, until ``asking_until`` at the latest.
    """

    sealed: bytes = b""
    renew_at: float = 0.0
    holder: str = ""
    asking_until: float = 0.0
    paused_until: float = 0.0


class SharedTokens:
    """The access token of an account, for one client.

    It is encrypted with a key derived from the account's own secrets, under a name derived from them too: who has the
    store alone can neither read it nor tell whose it is.

    :param store: what processes share.
    :param hosts: where the token comes from and where it is sent.
    :param client_id: the client id.
    :param secrets: whatever else the token is given for.
    :param fresh: take no token that this client has not asked for itself.
    """

    def __init__(
        self, store: Store, hosts: Sequence[str], client_id: str, secrets: Sequence[str], *, fresh: bool = False
    ) -> None:
        self._store = store
        self._holder = uuid.uuid4().hex[:16]
        self._fresh = fresh
        self._key, self._fernet = _derived("\n".join((*hosts, client_id)), "\n".join(secrets))
        self._opened = (b"", "")

    def take(self, rejected: str | None, turn: float) -> str | Wait | None:
        """The token, or None where it is this client's turn to ask for one: then ``put`` or ``give_up`` must follow.

        :param rejected: a token that the LMS has refused; it is not returned again.
        :param turn: seconds that asking may take; then it is another client's turn.
        :raises CoordinationError: the store cannot be used.
        """

        def claim(kept: Kept, now: float) -> str | Wait | None:
            if (token := self._usable(kept, now, rejected)) is not None:
                return token
            if kept.paused_until > now:
                reason = "too many access tokens were asked for, and none are given"
                return Wait(kept.paused_until - now, reason, locked=True)
            if kept.asking_until > now and kept.holder != self._holder and not self._fresh:
                return Wait(min(_ASK_AGAIN, kept.asking_until - now), "another task is asking for an access token")
            kept.holder, kept.asking_until = self._holder, now + turn
            return None

        kept, now = self._store.read(self._key, Kept)
        return self._usable(kept, now, rejected) or self._store.change(self._key, Kept, claim)

    def put(self, token: str, expires_in: float) -> None:
        """Share a token.

        :param expires_in: its life in seconds. It is renewed a minute ahead of its end; one that lives for less than
            two minutes is used for half its life.
        :raises CoordinationError: the store cannot be used.
        """
        sealed = self._fernet.encrypt(token.encode())

        def share(kept: Kept, now: float) -> None:
            kept.sealed, kept.renew_at = sealed, now + expires_in - min(_LEAD, expires_in / 2)
            kept.holder, kept.asking_until = "", 0.0

        self._store.change(self._key, Kept, share)
        self._opened, self._fresh = (sealed, token), False

    def give_up(self, pause: float) -> None:
        """Let another client ask.

        :param pause: seconds for which none may ask.
        :raises CoordinationError: the store cannot be used.
        """

        def leave(kept: Kept, now: float) -> None:
            kept.paused_until = max(kept.paused_until, now + pause)
            if kept.holder == self._holder:
                kept.holder, kept.asking_until = "", 0.0

        self._store.change(self._key, Kept, leave)

    def _usable(self, kept: Kept, now: float, rejected: str | None) -> str | None:
        if self._fresh or not kept.sealed or now >= kept.renew_at:
            return None
        if kept.sealed != self._opened[0]:
            self._opened = kept.sealed, self._fernet.decrypt(kept.sealed).decode()
        token = self._opened[1]
        return None if token == rejected else token


def _derived(account: str, secrets: str) -> tuple[str, Fernet]:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    material = HKDF(SHA256(), 48, salt=b"airflow-provider-lms", info=account.encode()).derive(secrets.encode())
    return "token:" + material[:16].hex(), Fernet(base64.urlsafe_b64encode(material[16:]))
