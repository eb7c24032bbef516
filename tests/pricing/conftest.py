import pytest

from otel_llm.pricing import Pricer


@pytest.fixture(scope="session")
def table_pricer() -> Pricer:
    """A pricer over the bundled table alone."""
    return Pricer()
