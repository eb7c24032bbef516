"""``otel-llm keys`` and ``projects``: with the database in hand, and beside a running server."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, ServerProcess, ask, credentials, otel_llm, spans

ASKING = "A running server owns the database; asking it at http://127.0.0.1:"


def made(result: Outcome) -> dict[str, Any]:
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.strip().splitlines()) == 1, "one JSON object, nothing else"
    key = json.loads(result.stdout)
    assert isinstance(key, dict)
    return key


def within_seconds(condition: object, timeout: float = 8.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "took longer than seconds"
        time.sleep(0.1)


def test_a_key_made_before_the_server_starts_opens_it_in_every_style(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'spans.duckdb'}"
    key = made(otel_llm("keys", "create", "--database-url", url, "--project", "shop", folder=tmp_path))
    assert set(key) == {"public_key", "secret_key", "project", "scopes"}
    assert (key["project"], key["scopes"]) == ("shop", ["ingest", "read"])
    server = ServerProcess(tmp_path)
    try:
        assert ask(server.api_url + "/api/v1/stats")[0] == 401
        assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(1))[0] == 401
        for style in credentials(key):
            assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(1), headers=style)[0] == 200
        for style in credentials(key):
            assert ask(server.api_url + "/api/v1/stats", headers=style)[1]["calls"] == 3
    finally:
        server.kill()
    stored = (tmp_path / "spans.duckdb").read_bytes() + b"\n".join(line.encode() for line in server.log)
    assert key["secret_key"].encode() not in stored


def test_beside_an_open_server_the_first_key_is_made_by_anyone_here_and_closes_it(server: ServerProcess) -> None:
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(2))[0] == 200
    result = server.cli("keys", "create", "--project", "shop", "--scope", "admin")
    admin = made(result)
    assert ASKING in result.stderr
    assert ask(server.api_url + "/api/v1/stats")[0] == 401
    [bearer, *_] = credentials(admin)
    status, found = ask(server.api_url + "/api/v1/stats", headers=bearer)
    assert (status, found["calls"]) == (200, 0), "what came before the first key belongs to the project default"

    refused = server.cli("keys", "create", "--project", "shop", "--server", server.api_url)
    assert refused.returncode != 0
    assert "OTEL_LLM_API_KEY" in refused.stderr
    second = made(server.cli("keys", "create", "--project", "shop", "--expires", "1h", OTEL_LLM_API_KEY=admin["secret_key"]))
    assert second["expires"]
    elsewhere = server.cli("keys", "create", "--project", "other", "--api-key", admin["secret_key"])
    assert elsewhere.returncode != 0
    assert "own project" in elsewhere.stderr
    for result in (refused, elsewhere):
        assert "Traceback" not in result.stderr

    listed = json.loads(server.cli("keys", "list", "--json", OTEL_LLM_API_KEY=admin["secret_key"]).stdout)
    assert [key["public_key"] for key in listed] == [admin["public_key"], second["public_key"]]


def test_who_holds_the_database_file_manages_and_reads_every_project_beside_a_closed_server(server: ServerProcess) -> None:
    first = made(server.cli("keys", "create", "--project", "shop", "--scope", "ingest"))
    result = server.cli("keys", "create", "--project", "other")
    second = made(result)
    assert ASKING in result.stderr
    assert server.cli("projects", "create", "third").returncode == 0
    assert [project["name"] for project in json.loads(server.cli("projects", "list", "--json").stdout)] == [
        "default",
        "other",
        "shop",
        "third",
    ]
    body = spans(2)
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=body, headers=credentials(first)[0])[0] == 200
    assert json.loads(server.cli("stats", "--json", "--project", "shop").stdout)["calls"] == 2
    assert json.loads(server.cli("stats", "--json").stdout)["calls"] == 0
    assert json.loads(server.cli("stats", "--json", "--project", "shop", OTEL_LLM_API_KEY=second["secret_key"]).stdout) == {
        **json.loads(server.cli("stats", "--json").stdout)
    }, "a key that is shown counts, not the project that is named"
    assert server.cli("keys", "revoke", first["public_key"]).returncode == 0
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=body, headers=credentials(first)[0])[0] == 401
    entries = json.loads(server.cli("audit", "--json", "--project", "third").stdout)
    assert [(entry["action"], entry["actor"]) for entry in entries if entry["project"]] == [("project.create", "operator")]
    assert "Traceback" not in "\n".join(server.log)


def test_the_store_and_the_way_to_its_server_are_for_their_owner_alone(server: ServerProcess) -> None:
    made(server.cli("keys", "create", "--project", "shop"))
    files = {file.name: file.stat().st_mode & 0o777 for file in server.folder.glob("spans.duckdb*")}
    assert {"spans.duckdb", "spans.duckdb.sock", "spans.duckdb.server"} <= files.keys()
    assert {name: mode for name, mode in files.items() if mode & 0o077} == {}
    for tries in ({"x-otel-llm.operator": "true"}, {"otel_llm.operator": "true"}, {"x-otel-llm-operator": "1"}):
        assert ask(server.api_url + "/api/v1/admin/keys", headers=tries)[0] == 401, "no header makes an operator"
    assert server.stop() == 0
    assert [file.name for file in server.folder.glob("spans.duckdb.*")] == [], "a clean stop leaves the store alone"


def test_a_socket_left_by_a_killed_server_is_no_hindrance(tmp_path: Path) -> None:
    killed = ServerProcess(tmp_path)
    killed.kill()
    assert (tmp_path / "spans.duckdb.sock").exists()
    made(killed.cli("keys", "create", "--project", "shop"))
    server = ServerProcess(tmp_path)
    try:
        made(server.cli("keys", "create", "--project", "other"))
    finally:
        server.kill()


def test_a_folder_without_room_for_the_socket_costs_only_the_convenience(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    server = ServerProcess(folder)
    try:
        made(server.cli("keys", "create", "--project", "shop"))
        refused = server.cli("keys", "create", "--project", "other")
        assert refused.returncode != 0
        assert "asks for a key" in refused.stderr
        refused = server.cli("keys", "list", OTEL_LLM_API_KEY="sk-otel-nobody")
        assert "does not accept the key given by --api-key or OTEL_LLM_API_KEY" in refused.stderr
        assert any("too long" in line for line in server.log)
    finally:
        server.kill()


def test_rotation_and_revocation_beside_a_server_take_effect_at_once(server: ServerProcess) -> None:
    admin = made(server.cli("keys", "create", "--project", "shop", "--scope", "admin"))
    env = {"OTEL_LLM_API_KEY": admin["secret_key"]}
    key = made(server.cli("keys", "create", "--project", "shop", **env))
    new = made(server.cli("keys", "rotate", key["public_key"], **env))

    def opens(some: dict[str, Any]) -> bool:
        return ask(server.api_url + "/api/v1/stats", headers=credentials(some)[0])[0] == 200

    assert opens(new)
    assert not opens(key)
    assert server.cli("keys", "revoke", new["public_key"], **env).returncode == 0
    assert not opens(new)
    unknown = server.cli("keys", "revoke", "pk-otel-none", **env)
    assert unknown.returncode != 0
    assert "there is no key" in unknown.stderr
    actions = [entry["action"] for entry in json.loads(server.cli("audit", "--json", **env).stdout)]
    assert actions[:3] == ["key.revoke", "key.rotate", "key.create"]


def test_with_the_database_in_hand_every_project_is_managed(tmp_path: Path) -> None:
    env = {"OTEL_LLM_DATABASE_URL": f"duckdb:///{tmp_path / 'spans.duckdb'}"}

    def run(*words: str) -> Outcome:
        return otel_llm(*words, folder=tmp_path, **env)

    missing = run("keys", "list")
    assert missing.returncode != 0
    assert "there is no store" in missing.stderr
    assert not (tmp_path / "spans.duckdb").exists(), "a question makes no store"
    key = made(run("keys", "create", "--project", "shop", "--scope", "ingest"))
    made(run("keys", "create", "--project", "other", "--scope", "read", "--scope", "admin"))
    assert [project["name"] for project in json.loads(run("projects", "list", "--json").stdout)] == ["default", "other", "shop"]
    assert len(json.loads(run("keys", "list", "--project", "shop", "--json").stdout)) == 1
    assert run("keys", "revoke", key["public_key"]).returncode == 0
    assert "active" not in run("keys", "list", "--project", "shop").stdout
    assert "revoked" in run("keys", "list", "--project", "shop", "--all").stdout
    assert run("projects", "delete", "other", "--yes", "--purge").returncode == 0
    assert run("keys", "create", "--project", "other").returncode != 0
    actions = {entry["action"] for entry in json.loads(run("audit", "--json").stdout)}
    assert actions == {"project.create", "key.create", "key.revoke", "project.delete", "project.purge"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--project", "a b"), "letters, digits"),
        (("--project", "shop", "--scope", "root"), "'root' is not one of"),
        (("--project", "shop", "--expires", "yesterday"), "2027-01-31"),
        (("--project", "shop", "--expires", "2001-01-01"), "future"),
        ((), "--project"),
    ],
)
def test_wrong_requests_for_keys_are_said_in_a_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = otel_llm("keys", "create", *words, folder=tmp_path)
    assert result.returncode != 0
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_deleted_project_stays_closed_and_its_data_can_go_with_it(server: ServerProcess) -> None:
    admin = made(server.cli("keys", "create", "--project", "shop", "--scope", "admin"))
    env = {"OTEL_LLM_API_KEY": admin["secret_key"]}
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(3), headers=credentials(admin)[0])[0] == 200
    gone = server.cli("projects", "delete", "shop", "--yes", "--purge", **env)
    assert gone.returncode == 0, gone.stderr
    assert "3 spans" in gone.stdout
    assert ask(server.api_url + "/api/v1/stats", headers=credentials(admin)[0])[0] != 200
    assert ask(server.api_url + "/aistats/daily", headers=credentials(admin)[0]) == (
        404,
        {"success": False, "message": "User not found"},
    )
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(1), headers=credentials(admin)[0])[0] in (401, 403)
