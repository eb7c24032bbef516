"""The limit of open files, which is also the limit of connections."""

import logging

_WANTED = 65_536
_log = logging.getLogger(__name__)


def allow_many_connections() -> None:
    """Raises the soft limit of open files towards the hard one: many systems start at 1,024, and a thousand slow
    connections must leave room for others."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warning("the limit of open files stays at %d: %s", soft, error)
