"""The key and the name under which an account's state is stored, derived from the account's own secrets."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def derive(kind: str, account: str, secrets: str) -> tuple[str, Fernet]:
    """A state's key in the store, and what encrypts it.

    :param kind: what the state is; the beginning of its key.
    :param account: identifies the account, and tells this kind of state from others.
    """
    # They are slow to import, and a DAG file that only imports an operator needs none of them.
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    material = HKDF(SHA256(), 48, salt=b"airflow-provider-lms", info=account.encode()).derive(secrets.encode())
    return f"{kind}:{material[:16].hex()}", Fernet(base64.urlsafe_b64encode(material[16:]))
