"""Who counts as local, while a server has no key and is therefore open to its own machine only."""

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and every loopback address; a name that would have to be looked up is not."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def addressed_locally(headers: Mapping[str, str], trusted_origins: Collection[str] = ()) -> bool:
    """True unless a browser carries the request here for a foreign page.

    A page on the web can reach a loopback port by giving its own name the address 127.0.0.1 (DNS rebinding) or by posting
    across sites. Both show: in a Host or an Origin that is no loopback name.
    """
    host = headers.get("host")
    if host and not is_loopback(_host_name(host)):
        return False
    origin = headers.get("origin")
    trusted = origin in trusted_origins or "*" in trusted_origins
    return not origin or trusted or is_loopback(_host_name(origin.partition("://")[2]))


def _host_name(authority: str) -> str:
    try:
        return urlsplit("//" + authority).hostname or ""
    except ValueError:
        return ""
