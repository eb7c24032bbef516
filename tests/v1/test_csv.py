"""Every table downloads as CSV, and no text of a span becomes a formula."""

import csv
import io

import pytest

from otel_llm.spans import Rejection
from otel_llm.store.engines.base import Change
from tests.query_api.call_rows import NOON, call, span_id, trace
from tests.query_api.conftest import QueryServer

WINDOW = "from=2025-01-23T00:00:00Z&to=2025-01-24T00:00:00Z"
HEALTH = ("unpriced", "instrumentations", "suppressed", "rejected", "since_start")
TABLES = [
    f"overview?{WINDOW}",
    f"series?{WINDOW}&split=model",
    f"top?{WINDOW}&by=user,model",
    f"calls/search?{WINDOW}",
    f"traces/{trace(1).hex()}?detail=waterfall",
    f"traces/{trace(1).hex()}/why?",
    *(f"data-health?{WINDOW}&table={table}" for table in HEALTH),
]
HOSTILE = ["=1+1", "+x", "-x", "@SUM(A1)", "\tx", 'quo"te,\nline']


def rows_of(server: QueryServer, path: str) -> list[dict[str, str]]:
    response = server.client.get(f"/api/v1/{path}&format=csv")
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="otel-llm-')
    text = response.get_data().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def hostile_server(v1_server: QueryServer) -> QueryServer:
    """Calls whose every text would run as a formula, or breaks lines."""
    for number, text in enumerate(HOSTILE, 1):
        names = dict.fromkeys(("name", "user_id", "response_model", "scope_name", "error_type", "service_name"), text)
        ids = {"trace_id": trace(1), "span_id": span_id(number)}
        v1_server.store([call(**names, **ids, input_tokens=5), call(**names, counted=False, reason="same_response_id")])
    with v1_server.engine.write([]) as session:
        session.apply(Change(rejections=[Rejection("default", NOON, "spans", "", "", text, text) for text in HOSTILE]))
    return v1_server


@pytest.mark.parametrize("path", TABLES)
def test_a_table_downloads(hostile_server: QueryServer, path: str) -> None:
    rows = rows_of(hostile_server, path)
    assert rows
    texts = [value for row in rows for value in row.values() if value and not value[:1].isalnum()]
    assert not [
        text for text in texts if text.startswith(("=", "+", "@", "\t")) or (text.startswith("-") and not _number(text))
    ]


def test_the_rows_are_those_of_the_json(hostile_server: QueryServer) -> None:
    top = hostile_server.client.get(f"/api/v1/top?{WINDOW}&by=user&sort=calls").get_json()
    assert [row["user"].removeprefix("'") for row in rows_of(hostile_server, f"top?{WINDOW}&by=user&sort=calls")] == [
        row["user"] for row in top["rows"]
    ]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
