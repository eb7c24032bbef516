"""What extraction remembers of earlier spans, for tests that depend on it."""

from collections.abc import Iterator

import pytest

from otel_llm.conventions import extract as extraction_module
from otel_llm.conventions import stencil


@pytest.fixture(scope="module")
def early_patterns() -> Iterator[None]:
    """Nothing is known at first, and a shape gets a pattern after a few spans: requests are read by stencils at first, by
    patterns then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stencil, "PATTERN_AFTER", 8)
        patch.setattr(extraction_module, "_bases", extraction_module._Bases())
        yield


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the spans."""
    monkeypatch.setattr(extraction_module, "_bases", extraction_module._Bases())
