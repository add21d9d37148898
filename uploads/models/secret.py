"""Secrets at rest: sealed with a key of the server's own, each bound to what it opens; it knows no rows.

AES-128-CBC with HMAC-SHA256 (Fernet), the key by HKDF from Django's SECRET_KEY: whoever has
the database alone has no password.
"""

import base64
import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"tidemill: passwords of connections"


class SealBrokenError(ValueError):
    """The secret was sealed with another key, or for something else."""


def seal(secret: str, what: str) -> str:
    """Return the secret as it may be stored; it opens again for the same `what` only."""
    return _fernet().encrypt(json.dumps([what, secret]).encode()).decode()


def unseal(sealed: str, what: str) -> str:
    """Return the secret; raises `SealBrokenError`."""
    try:
        bound, secret = json.loads(_fernet().decrypt(sealed.encode()))
    except InvalidToken:
        raise SealBrokenError from None
    if bound != what:
        raise SealBrokenError
    return str(secret)


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(str(key))) for key in keys])


def _derived(key: str) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(made)
