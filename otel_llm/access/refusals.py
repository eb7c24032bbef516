"""Refused requests: logged at a bounded rate, counted in bulk, never with the secret."""

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

log = logging.getLogger("otel_llm.access")

LOG_INTERVAL_S = 60.0
"""At most one line per address and interval, so that a flood of bad keys cannot fill a disk."""
LOG_BURST = 20
"""At most this many lines per interval over all addresses: a flood may come from many."""
MAX_ADDRESSES = 2048
"""Addresses remembered; the one that was quiet longest is forgotten first."""
REPORTED_ADDRESSES = 10
"""Addresses named in one audit entry."""


def address_of(peer: str) -> str:
    """The address without port of a peer: ``ipv4:10.0.0.7:53212``, ``ipv6:[::1]:53212``, ``10.0.0.7:53212``, ``::1``."""
    text = peer.removeprefix("ipv4:").removeprefix("ipv6:").replace("%5B", "[").replace("%5D", "]")
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, separator, port = text.rpartition(":")
    return host if separator and port.isdigit() and ":" not in host else text


class Refusals:
    """What was refused lately. Thread-safe; memory and log lines are bounded whatever arrives."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._addresses: OrderedDict[str, list[float]] = OrderedDict()  # address → [last line, silent since then]
        self._window_start = clock()
        self._window_lines = 0
        self._pending: Counter[str] = Counter()
        self._pending_addresses: Counter[str] = Counter()

    def count(self, reason: str, peer: str, note: str = "") -> None:
        """Counts one refusal and logs it unless its address was just logged. ``note`` must hold no secret."""
        address = address_of(peer)
        with self._lock:
            self._pending[reason] += 1
            if address in self._pending_addresses or len(self._pending_addresses) < MAX_ADDRESSES:
                self._pending_addresses[address] += 1
            silent = self._may_log(address)
        if silent is not None:
            more = f" ({silent} more since the last line)" if silent else ""
            log.warning("refused a request from %s: %s%s%s", address, reason, f" ({note})" if note else "", more)

    def _may_log(self, address: str) -> int | None:
        """How many refusals of the address went without a line, or None when this one stays silent too."""
        now = self._clock()
        if now - self._window_start >= LOG_INTERVAL_S:
            self._window_start, self._window_lines = now, 0
        state = self._addresses.get(address)
        if state is None:
            state = self._addresses[address] = [float("-inf"), 0]
            if len(self._addresses) > MAX_ADDRESSES:
                self._addresses.popitem(last=False)
        else:
            self._addresses.move_to_end(address)
        if now - state[0] < LOG_INTERVAL_S or self._window_lines >= LOG_BURST:
            state[1] += 1
            return None
        silent = int(state[1])
        state[0], state[1] = now, 0
        self._window_lines += 1
        return silent

    def drain(self) -> dict[str, Any] | None:
        """What was counted since the last drain, for the audit log; None when nothing was."""
        with self._lock:
            if not self._pending:
                return None
            detail = {
                "count": self._pending.total(),
                "reasons": dict(self._pending),
                "addresses": dict(self._pending_addresses.most_common(REPORTED_ADDRESSES)),
            }
            self._pending.clear()
            self._pending_addresses.clear()
            return detail
