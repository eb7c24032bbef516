"""Which credential a request carries, whatever the style."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.access.credentials import MAX_CREDENTIAL_CHARS, Credential, read_credential


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": "Bearer sk"}, Credential(None, "sk")),
        ({"authorization": "bearer   sk "}, Credential(None, "sk")),
        ({"authorization": "Basic " + b64("pk:sk")}, Credential("pk", "sk")),
        ({"authorization": "BASIC " + b64("pk:s:k")}, Credential("pk", "s:k")),
        ({"x-api-key": " sk "}, Credential(None, "sk")),
        ({"authorization": "Bearer sk", "x-api-key": "other"}, Credential(None, "sk")),
        ({"authorization": "", "x-api-key": "sk"}, Credential(None, "sk")),
    ],
)
def test_every_style_is_read(headers: dict[str, str], expected: Credential) -> None:
    assert read_credential(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "sk"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Digest sk"},
        {"authorization": "Basic sk"},
        {"authorization": "Basic " + b64("no colon")},
        {"authorization": "Basic " + b64("pk:")},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
        {"authorization": "Basic !!!", "x-api-key": "sk"},  # a broken Authorization is not rescued by another header
        {"x-api-key": "  "},
        {"x-api-key": "k" * (MAX_CREDENTIAL_CHARS + 1)},
        {"authorization": "Bearer " + "k" * MAX_CREDENTIAL_CHARS},
    ],
)
def test_anything_else_is_no_credential(headers: dict[str, str]) -> None:
    assert read_credential(headers) is None


@given(st.text(max_size=200))
def test_no_header_value_raises(value: str) -> None:
    for headers in ({"authorization": value}, {"authorization": "Basic " + value}, {"x-api-key": value}):
        read_credential(headers)
