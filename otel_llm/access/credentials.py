"""Reads the credential of a request, whatever the style: Basic ``public:secret``, Bearer secret, ``x-api-key`` secret."""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

MAX_CREDENTIAL_CHARS = 1024
"""Longer values are no key of ours and are not even hashed: the work a stranger can cause stays small."""


class Credential(NamedTuple):
    """What was sent. ``public_key`` is None in the styles that send the secret alone; then the secret says who."""

    public_key: str | None
    secret: str


def read_credential(headers: Mapping[str, str]) -> Credential | None:
    """The credential in headers or gRPC metadata (lower-case names); None when there is none that could be a key.

    ``authorization`` is read first; ``x-api-key`` counts when it is absent.
    """
    authorization = headers.get("authorization")
    if authorization:
        if len(authorization) > MAX_CREDENTIAL_CHARS:
            return None
        scheme, _, value = authorization.strip().partition(" ")
        style = scheme.lower()
        value = value.strip()
        if style == "bearer":
            return Credential(None, value) if value else None
        if style == "basic":
            return _basic(value)
        return None
    secret = headers.get("x-api-key", "").strip()
    return Credential(None, secret) if secret and len(secret) <= MAX_CREDENTIAL_CHARS else None


def _basic(value: str) -> Credential | None:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    public_key, separator, secret = text.partition(":")
    return Credential(public_key, secret) if separator and secret else None
