"""Who asks: authentication at the door, in the words of the product that is asked."""

import base64
import binascii
from collections.abc import Callable

from flask import request

from otel_llm.access import Caller, Door, operator_of
from otel_llm.errors import PermissionDenied, Unauthenticated
from otel_llm.serving.operator import OPERATOR
from query_api.errors import HOUSE, ApiError, Product
from query_api.sessions import session_caller

HOST_HINT = "Confirm that you've configured the correct host."


def reader_of(door: Door, product: Product) -> Caller:
    """The caller, who may read. Raises ApiError (401, or what the product says of a deleted project) or PermissionDenied."""
    peer = request.remote_addr or ""
    try:
        caller = _without_key() or authenticated(door)
    except Unauthenticated as error:
        raise ApiError(401, _unauthenticated(product, str(error)) if door.has_keys else str(error)) from None
    door.authorize(caller, "read", peer)
    if caller.key_id is not None and door.project_deleted(caller.project):
        door.count_refusal("project deleted", caller, peer)
        raise _DELETED.get(product.name, _unknown_key)()
    return caller


def authenticated(door: Door) -> Caller:
    """The operator on the socket beside the store, else whom the credential names. Raises Unauthenticated."""
    if request.environ.get(OPERATOR) and not _shows_key():
        return operator_of(request.headers.get("X-Project-Id", "").strip())
    return door.authenticate({name.lower(): value for name, value in request.headers.items()}, request.remote_addr or "")


def known_reader(door: Door) -> Caller | None:
    """Who asks, where strangers get an answer too, only a shorter one."""
    if not (door.open or _shows_key() or request.environ.get(OPERATOR) or _without_key()):
        return None  # nobody is refused, so nothing is counted
    try:
        return reader_of(door, HOUSE)
    except (ApiError, PermissionDenied):
        return None


def seen_by(caller: Caller) -> str | None:
    """The project whose counters a caller may see; None is the whole server, for whoever needs no key."""
    return caller.project if caller.key_id is not None else None


def _shows_key() -> bool:
    return "Authorization" in request.headers or "X-Api-Key" in request.headers


def _without_key() -> Caller | None:
    return None if _shows_key() else session_caller()


def _unauthenticated(product: Product, neutral: str) -> str | None:
    authorization = request.headers.get("Authorization", "").strip()
    if product.name == "langfuse":
        return _langfuse(authorization)
    if product.name == "agentlens":
        return "Invalid or revoked API key" if authorization or request.headers.get("X-Api-Key") else "Authentication required"
    return neutral


def _langfuse(authorization: str) -> str:
    if not authorization:
        wrong_key = f"Invalid credentials. {HOST_HINT}"
        return wrong_key if request.headers.get("X-Api-Key") else "No authorization header"
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        return "Invalid authorization header"
    if scheme.lower() == "basic" and not _is_pair(value.strip()):
        return f"Invalid authorization header. {HOST_HINT}"
    return f"Invalid credentials. {HOST_HINT}"


def _is_pair(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def project_not_found() -> ApiError:
    """LangDB's answer to a foreign and to an unknown project alike, so that names cannot be probed."""
    return ApiError(400, "The specified project ID does not exist or you don't have access to it", title="Project not found")


def _user_not_found() -> ApiError:
    return ApiError(404, "User not found")


def _unknown_key() -> ApiError:
    return ApiError(401)


_DELETED: dict[str, Callable[[], ApiError]] = {"langdb": project_not_found, "flashback": _user_not_found}
"""A valid key whose project was deleted; elsewhere the key counts as unknown."""
