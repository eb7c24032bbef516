"""Every endpoint gives equal answers on every engine, and the SQL it sends is reviewed as a file.

``OTEL_LLM_WRITE_SNAPSHOTS=1`` writes the files of ``snapshots/`` anew; the difference is then up for review.
"""

import os
import re
from collections.abc import Iterator
from math import isclose
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from otel_llm.store.engines.duckdb import DuckDBEngine
from tests.endpoints import REQUESTS
from tests.engines import ENGINES, url_of
from tests.query_api.conftest import QueryServer
from tests.query_api.world import world

from .sql_text import laid_out

SNAPSHOTS = Path(__file__).parent / "snapshots"
ROWS, _FINDINGS = world(seed=7, traces=150)
FINDINGS = [each._replace(finding_key=each.finding_key.rjust(16, b"\0")) for each in _FINDINGS]
TRACE = max(ROWS, key=lambda row: (sum(row["trace_id"] == other["trace_id"] for other in ROWS), row["span_id"]))
_OF_THE_DOOR = re.compile(r"FROM [`\"]?(keys|projects)\b")


def ask(server: QueryServer, name: str) -> Any:
    return REQUESTS[name].ask(server.client, TRACE["trace_id"].hex(), TRACE["span_id"].hex())


class Asked:
    """A server over the world, and the statements it sends."""

    def __init__(self, url: str, *, journalled: bool = False) -> None:
        """``journalled`` leaves the spans in the journal of DuckDB, where every question finds them."""
        self.server = QueryServer(database_url=url)
        if journalled:
            self.server.store([], FINDINGS)
            self.server.store(ROWS)
            engine = self.server.engine
            assert isinstance(engine, DuckDBEngine)
            engine._beside_spans = 0
        else:
            self.server.store(ROWS, FINDINGS)
        self.statements: list[str] = []
        sa.event.listen(self.server.engine.sql, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, _: str, parameters: Any, context: Any, __: bool) -> None:
        statement = context.statement  # before what is pending in a journal was joined to the table
        # The door looks for new keys every few seconds, whatever is asked; a table beside a journal is empty here.
        if not _OF_THE_DOOR.search(statement) and "main.spans" not in statement:
            self.statements.append(statement)


JOURNALLED = "duckdb, spans in its journal"


@pytest.fixture(scope="module", params=[*ENGINES, JOURNALLED])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A server on the engine under test."""
    journalled = request.param == JOURNALLED
    url = url_of(request, "duckdb" if journalled else request.param, tmp_path_factory.mktemp("endpoints"))
    made = Asked(url, journalled=journalled)
    yield made
    if journalled:
        assert made.server.engine.journal is not None
        assert made.server.engine.journal.pending_spans == len(ROWS), "a question has settled them"
    made.server.close()


class Reference:
    """The same world on DuckDB: it answers a request once, whichever engine is asked."""

    def __init__(self) -> None:
        self.server = QueryServer()
        self.server.store(ROWS, FINDINGS)
        self._answers: dict[str, Any] = {}

    def answer(self, name: str) -> Any:
        if name not in self._answers:
            self._answers[name] = ask(self.server, name)
        return self._answers[name]


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    """The answers that are right."""
    made = Reference()
    yield made
    made.server.close()


@pytest.mark.parametrize("name", REQUESTS)
def test_an_endpoint_answers_as_on_duckdb_with_reviewed_sql(asked: Asked, reference: Reference, name: str) -> None:
    asked.statements.clear()
    answer = ask(asked.server, name)
    assert_equal(answer, reference.answer(name))
    assert answer, "an empty answer shows nothing"
    sql = "\n;\n\n".join(laid_out(statement) for statement in dict.fromkeys(asked.statements)) + "\n;\n"
    file = SNAPSHOTS / asked.server.engine.sql.dialect.name / f"{name}.sql"
    if os.environ.get("OTEL_LLM_WRITE_SNAPSHOTS"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sql)
    assert file.read_text() == sql, f"the SQL of {name} changed: review it with OTEL_LLM_WRITE_SNAPSHOTS=1 and git diff"


def test_every_snapshot_belongs_to_a_request() -> None:
    assert {file.stem for file in SNAPSHOTS.rglob("*.sql")} == set(REQUESTS)


def assert_equal(found: Any, expected: Any, where: str = "") -> None:
    """Texts and integers are equal, doubles to 1e-9: sums are added in another order."""
    if isinstance(expected, dict) and isinstance(found, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_equal(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), where
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_equal(one, other, f"{where}[{place}]")
    elif isinstance(expected, float):
        assert isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12), (where, found, expected)
    else:
        assert (type(found), found) == (type(expected), expected), where
