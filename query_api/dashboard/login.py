"""The way in on a protected server: a key in a form, a cookie in return; a POST to get out again."""

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import request

from otel_llm.access import Caller
from otel_llm.errors import PermissionDenied, Unauthenticated

if TYPE_CHECKING:
    from otel_llm.access import Door

START = "/"


def caller_with(door: "Door", credential: str) -> Caller:
    """The caller whose key was typed in: the secret alone, or ``public:secret``. Raises Unauthenticated or
    PermissionDenied, with a sentence for the page."""
    peer = request.remote_addr or ""
    typed = credential.strip()
    pair = "Basic " + base64.b64encode(typed.encode()).decode()
    headers = {"authorization": pair} if ":" in typed else {"x-api-key": typed}
    try:
        caller = door.authenticate(headers, peer)
    except Unauthenticated:
        raise Unauthenticated("No such key. Paste the secret key, or public and secret joined by a colon.") from None
    if caller.key_id is None or door.project_deleted(caller.project):
        raise Unauthenticated("No such key. Paste the secret key, or public and secret joined by a colon.")
    try:
        door.authorize(caller, "read", peer)
    except PermissionDenied:
        raise PermissionDenied("This key may send but not read: it lacks the scope read.") from None
    return caller


def from_own_page() -> bool:
    """False for a POST that a page of another site makes. Browsers say where a POST comes from; what says nothing is no
    browser and carries no cookie."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or (origin != "null" and urlsplit(origin).netloc == request.host)


def safe_target(target: str | None) -> str:
    """Where to go after the login: a page of this dashboard, whatever the address said."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return START
    return target if urlsplit(target).path in ("/", "/ui") or target.startswith("/ui/") else START
