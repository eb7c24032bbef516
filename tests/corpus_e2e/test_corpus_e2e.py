"""Captured exports of real instrumentations, sent the way they were sent to one running collector: every product's answer is
the known one."""

import gzip
import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest

from otel_llm.otlp.signals import SIGNALS
from tests.cli.conftest import ServerProcess
from tests.conventions.corpus import SCENARIOS, Scenario
from tests.corpus_e2e.answers import HOUR_S, answers, differences
from tests.corpus_e2e.relocation import Relocation

FIRST_HOUR_S = 1_767_225_600
"""2026-01-01; scenario n has the hour n hours later."""
STARTS_AFTER_S = 600

COUNTED_TWICE = "each call counted twice: two reports of it in two separate traces"
TWO_RECORDS = "two records in two traces, without an id that joins them"
ONLY_LENIENT: Mapping[str, tuple[str, str]] = {
    "openinference/langchain_stream_both": (
        COUNTED_TWICE,
        "the client's span is the root of another trace, and the response id is only in the text of output.value",
    ),
    "openinference/langgraph_agent_both": (COUNTED_TWICE, "as langchain_stream_both"),
    "langsmith/langchain_anthropic": (TWO_RECORDS, "LangSmith's record has no response id"),
    "vendor_mix/error_429": (TWO_RECORDS, "a failed call has no response, so no response id either"),
    "vendor_mix/stream": (TWO_RECORDS, "the record of LangChain has no response id and is the root of another trace"),
    "traceloop/anthropic_error": (COUNTED_TWICE, "a failed call has no response, so no response id either"),
}
"""Scenarios of which the truth cannot be told from what was exported: the variant that holds, and why no other can."""


class Target:
    """A collector, on each of its ports."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._channel = grpc.insecure_channel(server.address("OTLP/gRPC"), options=[("grpc.enable_http_proxy", 0)])
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, request: Mapping[str, Any], body: bytes) -> None:
        """Delivers a request over its own transport, encoding and compression; it must be taken in full."""
        signal = SIGNALS[request["signal"]]
        if request["transport"] == "grpc":
            export = self._channel.unary_unary(request["path"])
            answered: bytes = export(body, timeout=30)
        else:
            langfuse = request["path"].startswith("/api/public/")
            url = (self._server.api_url if langfuse else self._server.otlp_url) + request["path"]
            kind = "application/json" if request["encoding"] == "json" else "application/x-protobuf"
            headers = {"content-type": kind}
            if request["compression"]:
                assert request["compression"] == "gzip"
                body = gzip.compress(body)
                headers["content-encoding"] = "gzip"
            answered = self._open(urllib.request.Request(url, body, headers))
        if request["encoding"] == "json":
            assert json.loads(answered) == {}
        else:
            assert not signal.response.FromString(answered).ListFields(), "something was rejected"

    def ask(self, path: str, query: Mapping[str, str] | None = None, *, body: Any = None) -> Any:
        """JSON of a GET, or of a POST with a body."""
        url = self._server.api_url + path + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self._open(urllib.request.Request(url, data, {"content-type": "application/json"})))

    def _open(self, request: urllib.request.Request) -> bytes:
        with self._opener.open(request, timeout=30) as response:
            found: bytes = response.read()
            return found

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    server = ServerProcess(tmp_path_factory.mktemp("corpus"))
    made = Target(server)
    yield made
    made.close()
    server.kill()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_product_gives_the_known_answers(target: Target, scenario: Scenario) -> None:
    hour_s = FIRST_HOUR_S + SCENARIOS.index(scenario) * HOUR_S
    expect = scenario.expected["expect"]
    people = [expect[who]["value"] for who in ("user", "session") if expect[who]]
    relocation = Relocation(scenario.folder, (hour_s + STARTS_AFTER_S) * 10**9, scenario.name, people)
    for request, body in relocation.bodies():
        target.send(request, body)
    found = answers(target.ask, hour_s, expect, relocation.names)
    wrong = differences(found, expect, relocation.names)
    if scenario.name not in ONLY_LENIENT:
        assert wrong == []
        return
    assert wrong, "the truth holds: take the scenario off the list"
    (variant,) = (one for one in scenario.expected["lenient"] if one["why"] == ONLY_LENIENT[scenario.name][0])
    assert differences(found, {**expect, **variant["expect"]}, relocation.names) == []


def test_everything_that_was_sent_is_accounted_for(target: Target) -> None:
    for signal in ("spans", "log_records", "data_points"):
        tally = target.ask("/healthz")[signal]
        assert tally["received"] > 0
        assert tally["received"] == tally["stored"] + tally["duplicate"] + sum(tally["ignored"].values())
        assert not tally["rejected"]
