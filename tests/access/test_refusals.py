"""Refusals are counted and logged within bounds, whatever arrives."""

import logging

import pytest

from otel_llm.access.refusals import LOG_BURST, LOG_INTERVAL_S, MAX_ADDRESSES, Refusals, address_of


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:53212", "10.0.0.7"),
        ("ipv6:[::1]:53212", "::1"),
        ("ipv6:%5B::1%5D:53212", "::1"),
        ("10.0.0.7:53212", "10.0.0.7"),
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("", ""),
        ("unix:/tmp/s", "unix:/tmp/s"),
    ],
)
def test_the_port_does_not_make_an_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_one_line_per_address_and_interval_says_how_many_were_silent(caplog: pytest.LogCaptureFixture) -> None:
    clock = Seconds()
    refusals = Refusals(clock)
    for _ in range(100):
        refusals.count("unknown key", "10.0.0.1:1")
    clock.now += LOG_INTERVAL_S
    refusals.count("unknown key", "10.0.0.1:2")
    assert [line for line in caplog.messages if "10.0.0.1" in line] == [
        "refused a request from 10.0.0.1: unknown key",
        "refused a request from 10.0.0.1: unknown key (99 more since the last line)",
    ]


def test_a_flood_from_many_addresses_is_bounded_in_lines_and_memory(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    refusals = Refusals(Seconds())
    total = 5 * MAX_ADDRESSES
    for number in range(total):
        refusals.count("unknown key", f"2001:db8::{number:x}")
    assert len(caplog.messages) == LOG_BURST
    assert len(refusals._addresses) == MAX_ADDRESSES
    detail = refusals.drain()
    assert detail is not None
    assert detail["count"] == total
    assert len(detail["addresses"]) <= 10
    assert refusals.drain() is None
