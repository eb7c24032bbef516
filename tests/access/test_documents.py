"""Times of keys as people write and read them."""

import pytest

from otel_llm.access import RegisterError
from otel_llm.access.documents import iso, parse_expiry

NOW = 1_790_000_000 * 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", NOW + 90 * 86_400 * 10**9),
        ("1.5h", NOW + 5_400 * 10**9),
        ("2027-01-31", 1_801_353_600 * 10**9),
        ("2027-01-31T12:00:00Z", 1_801_396_800 * 10**9),
        ("2027-01-31T12:00:00+02:00", 1_801_389_600 * 10**9),
    ],
)
def test_an_expiry_is_a_time_or_a_duration_from_now(text: str, expected: int) -> None:
    assert parse_expiry(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "never", "9x", "90", "-1d", "2027-13-01", "9" * 400 + "d", "9999-12-31T23:59:59-23:59"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RegisterError):
        parse_expiry(text, NOW)


def test_times_are_shown_in_utc_to_the_second() -> None:
    assert iso(NOW + 999_999_999) == "2026-09-21T14:13:20Z"
    assert iso(None) is None
