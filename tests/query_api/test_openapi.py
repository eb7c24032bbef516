"""The description of the API is valid, complete, and true."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode, checks

from query_api.errors import HOUSE, product_of
from query_api.openapi import document

from .conftest import QueryServer
from .world import world

OWN = "/api/v1/"
"""Below it lie the dashboard's and the administration's own endpoints."""


def test_the_description_is_valid(query_server: QueryServer) -> None:
    served = query_server.get("/openapi.json")
    OpenAPIV31SpecValidator(served).validate()
    assert served == document()


def test_every_route_of_a_product_is_described_and_nothing_else(query_server: QueryServer) -> None:
    served = {
        (method, rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"))
        for rule in query_server.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    assert described <= served
    left_out = {path for _, path in served - described}
    assert not [path for path in left_out if product_of(path) is not HOUSE and not path.startswith(OWN)]


@pytest.fixture(scope="module")
def described_server(new_query_server: Callable[..., QueryServer]) -> QueryServer:
    """A server with some spans."""
    server = new_query_server()
    rows, findings = world(seed=7, traces=40)
    server.store(rows, findings)
    return server


checks.load_all_checks()
TRUE = [
    checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "unsupported_method",
    )
]
"""Rules across fields (a start before its end, dates that exist) cannot be said in a schema, so what is accepted and what is
refused is left to the tests of each product."""
OPERATIONS = [
    (method, path, mode)
    for path, item in document()["paths"].items()
    for method, operation in item.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or "requestBody" in operation or '"in": "query"' in json.dumps(operation)
]
"""Bad requests are made where there is something to get wrong."""


@pytest.fixture(scope="module")
def described(described_server: QueryServer) -> Any:
    """What that server says of itself, read once."""
    return schemathesis.openapi.from_wsgi("/openapi.json", described_server.app)


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_answers_are_what_the_description_says(described: Any, method: str, path: str, mode: GenerationMode) -> None:
    """Generated requests, good and bad: documented statuses, headers and bodies only, never a 5xx."""
    operation = described[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=TRUE, headers={"Accept-Encoding": "identity"})

    ask()
