import logging

import grpc
import pytest

from otel_llm import errors
from receiver.status import OUTCOMES, Refusal

RETRYABLE_CODES = {1, 4, 10, 11, 14, 15}  # OTLP 1.11; RESOURCE_EXHAUSTED (8) only with RetryInfo
RETRYABLE_HTTP = {429, 502, 503, 504}


@pytest.mark.parametrize("kind", OUTCOMES, ids=lambda kind: kind.__name__)
def test_what_is_retryable_says_so_on_both_protocols_and_nothing_else_does(kind):
    outcome = OUTCOMES[kind]
    assert outcome.retry == (outcome.http in RETRYABLE_HTTP)
    if outcome.retry:
        assert outcome.grpc in RETRYABLE_CODES | {8}
    elif kind is not errors.SlowSender:  # a deadline: the client may well try again, but is not asked to
        assert outcome.grpc not in RETRYABLE_CODES
    assert outcome.grpc in {code.value[0] for code in grpc.StatusCode}


@pytest.mark.parametrize("kind", [*errors.RequestError.__subclasses__(), *errors.RetryableError.__subclasses__()])
def test_every_error_of_a_request_has_a_reason_of_its_own(kind):
    outcome = Refusal.of(kind("why"), "a test").outcome
    assert outcome.http != 500
    assert outcome is not OUTCOMES[errors.RequestError] or kind is errors.RequestError
    assert [other for other in OUTCOMES.values() if other.reason == outcome.reason] == [outcome]


def test_an_error_outside_of_the_table_is_internal(caplog):
    with caplog.at_level(logging.ERROR):
        refusal = Refusal.of(ZeroDivisionError("secret"), "a test")
    assert (refusal.outcome.grpc, refusal.outcome.http) == (13, 500)
    assert "secret" not in refusal.status.message
    assert caplog.records[0].message == "a test failed"


def test_messages_fit_into_headers():
    assert len(Refusal.of(errors.InvalidPayload("x" * 100_000), "a test").status.message) <= 1024
