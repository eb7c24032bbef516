"""What a caller sends is a value of a statement, never a part of it: the code is looked through, and a fuzz tries."""

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.endpoints import REQUESTS
from tests.query_api.call_rows import call
from tests.query_api.conftest import QueryServer

ROOT = Path(__file__).parents[2]
STATEMENT = re.compile(
    r"\b(?:SELECT\b.+\bFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|ALTER\s+TABLE|DROP\s+TABLE|WHERE)\b", re.DOTALL
)
ENGINES = ROOT / "otel_llm" / "store" / "engines"
"""The one place where statements are written as text: what they are made of is constant, a number, hex, or quoted."""
SOURCES = [path for folder in ("otel_llm", "query_api", "receiver") for path in sorted((ROOT / folder).rglob("*.py"))]


def made_of_parts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts put together at run time: f-strings, %, + and format."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts: list[Any] = list(node.values)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
            parts = [node.func.value]
        else:
            continue
        text = " ".join(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))
        if any(not isinstance(part, ast.Constant) for part in parts) or isinstance(node, ast.Call):
            yield node.lineno, text


def test_no_statement_is_put_together_from_parts_outside_the_engines() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text[:60]}"
        for path in SOURCES
        if ENGINES not in path.parents
        for line, text in made_of_parts(ast.parse(path.read_text(encoding="utf-8")))
        if STATEMENT.search(text)
    ]
    # the Parquet writer names its own columns in a database in memory; the copy command's text is prose
    assert [line for line in found if not line.startswith("otel_llm/cli/span_files.py")] == []


def test_every_statement_put_together_in_the_engines_says_of_what() -> None:
    reason = re.compile(r"# noqa: S608 (?:constant text|quoted|hex|a number)")
    for path in sorted(ENGINES.glob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "S608" not in line or reason.search(line), f"{path.name}: {line.strip()}"


def test_no_query_takes_sql_text_that_is_not_constant() -> None:
    """``text`` and ``literal_column`` go into a statement as they are."""
    taken = []
    for path in SOURCES:
        if ENGINES in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in ("literal_column", "exec_driver_sql") or ast.unparse(node.func) == "sa.text":
                argument = node.args[0]
                if not (isinstance(argument, ast.Constant) or _is_number(argument)):
                    taken.append(f"{path.relative_to(ROOT)}: {ast.unparse(argument)}")
    assert taken == ["""otel_llm/store/queries/ai_stats_dimensions.py: f"'{separator}'\""""], "a separator that the code names"


def _is_number(argument: ast.expr) -> bool:
    """``str(number)``: what it is given is checked by the types."""
    return isinstance(argument, ast.Call) and ast.unparse(argument.func) == "str"


MARK = "zq9injected"
HOSTILE = [
    f"{MARK}' OR '1'='1",
    f"{MARK}'; DROP TABLE spans; --",
    f'{MARK}" OR ""="',
    f"{MARK}\\' UNION SELECT secret_sha256 FROM api_keys --",
    f"{MARK}%' OR name LIKE '%",
    f"{MARK}) OR (1=1",
    f"{MARK}$1 :param %(name)s %s ? {{x:String}}",
    f"{MARK}\0'\n--",
    f"{MARK}\u02bc\uff07\ud7ff",
    f"{MARK}',','{MARK}",
]


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[QueryServer, list[str]]]:
    """A server with some calls, and every statement its database was sent."""
    server = QueryServer()
    server.store([call(input_tokens=1, user_id="ann", response_model="m") for _ in range(5)])
    sent: list[str] = []
    sa.event.listen(server.engine.sql, "before_cursor_execute", lambda *event: sent.append(event[2]))
    yield server, sent
    server.close()


FREE = ("model", "provider", "user", "userId", "userUuid", "traceName", "trace_name", "tags", "agentId", "session", "project")
"""Parameters of some endpoint that take any text; the others ignore them."""
FREE_BODY = ("user_id", "user_name", "project_id")


@pytest.mark.parametrize("name", REQUESTS)
def test_hostile_values_reach_no_statement(watched: tuple[QueryServer, list[str]], name: str) -> None:
    server, sent = watched
    request = REQUESTS[name]
    chance = random.Random(name)
    chosen = sorted({*(request.query or {}), *(request.body or {})})
    sent.clear()
    for text in chance.sample(HOSTILE, 4):  # every text is tried on some endpoint
        path = request.path.replace("s-1", quote(text, safe="")).format(trace="0" * 32, span="0" * 16)
        query = {**(request.query or {}), **dict.fromkeys(FREE, text)}
        body = None if request.body is None else {**request.body, **dict.fromkeys(FREE_BODY, text), "user_tags": [text]}
        ask(server, path, query, body, text)
        if chosen:  # and in place of one that is not free: a time, a unit, a sort order
            changed = {chance.choice(chosen): chance.choice([text, [text, text]])}
            ask(server, path, {**query, **changed}, body and {**body, **changed}, text)
        ask(server, request.path.format(trace=quote(text, safe=""), span=quote(text, safe="")), query, body, text)
    assert sent, "some requests came as far as the database"
    assert not [statement for statement in sent if MARK in statement]
    with server.engine.sql.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM spans")).scalar_one() == 5


def ask(server: QueryServer, path: str, query: dict[str, Any], body: dict[str, Any] | None, text: str) -> None:
    """A request that may be refused but must not fail."""
    method = "GET" if body is None else "POST"
    headers = {"X-Project-Id": re.sub(r"[^ -~]", "", text)}
    response = server.client.open(path, method=method, query_string=query, json=body, headers=headers)
    assert response.status_code in (200, 400, 404), (path, query, body, response.text)
    assert "Traceback" not in response.text
