"""Spares DuckDB a search of the file system for every value.

DuckDB's Python binding looks for pandas with every bound parameter, and for pyarrow with every Arrow table, to recognise
their types. Where they are installed that is a dictionary look-up. Where they are not, Python searches its whole path
again each time: 0.15 to 0.3 ms a search, two searches a value. While a statement of ours runs, these names are answered
"not there" at once; nothing else that the process imports is touched.
"""

import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

_PROBED = ("pandas", "pyarrow", "numpy", "polars")


class _Absent:
    """A finder that knows what is not installed, in threads that run a statement of ours."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.running = threading.local()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in self.names and getattr(self.running, "statement", False):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


_absent: _Absent | None = None


def install() -> None:
    """Looks once which of the packages are there; called when an engine opens."""
    global _absent  # noqa: PLW0603 one finder a process
    if _absent is None:
        missing = frozenset(name for name in _PROBED if name not in sys.modules and importlib.util.find_spec(name) is None)
        _absent = _Absent(missing)
        sys.meta_path.insert(0, _absent)


def begin() -> None:
    """This thread runs a statement from here on."""
    if _absent is not None:
        _absent.running.statement = True


def end() -> None:
    """This thread's statement is over."""
    if _absent is not None:
        _absent.running.statement = False


@contextmanager
def statement() -> Iterator[None]:
    """Between :func:`begin` and :func:`end`; may be within another one."""
    outer = _absent is not None and getattr(_absent.running, "statement", False)
    begin()
    try:
        yield
    finally:
        if not outer:
            end()
