"""Settings: defaults < file < environment < flags, and what is said when one of them is wrong."""

import os
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm import quantities
from otel_llm.cli.settings_flags import SECTIONS
from otel_llm.config import Settings
from otel_llm.config_sources import load_settings, unknown_variables
from otel_llm.database_url import duckdb_file, safe_url
from otel_llm.errors import ConfigError
from otel_llm.retention import RetentionRule, parse_rule

FILES = Path(__file__).parent / "config"


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_LLM_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    file = folder / "otel-llm.toml"
    file.write_text(text)
    return file


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load_settings()
    assert settings.database_url == "duckdb:///otel-llm.duckdb"
    assert (settings.host, settings.grpc_port, settings.otlp_http_port, settings.api_port) == ("127.0.0.1", 4317, 4318, 8000)
    assert not settings.capture_content
    assert settings.retention == ()
    assert not settings.update_prices


def test_a_flag_wins_over_the_environment_which_wins_over_the_file_which_wins_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "grpc_port = 1001\notlp_http_port = 1002\napi_port = 1003\n")
    monkeypatch.setenv("OTEL_LLM_OTLP_HTTP_PORT", "2002")
    monkeypatch.setenv("OTEL_LLM_API_PORT", "2003")
    settings = load_settings({"api_port": "3003", "host": None}, file)
    assert (settings.grpc_port, settings.otlp_http_port, settings.api_port) == (1001, 2002, 3003)
    assert settings.host == "127.0.0.1"


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_CONFIG", str(write(tmp_path, "grpc_port = 1001")))
    assert load_settings().grpc_port == 1001


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_GRPC_PORT", "")
    assert load_settings().grpc_port == 4317


def test_every_kind_of_value_is_read_from_a_file() -> None:
    settings = load_settings(config=FILES / "good.toml")
    assert settings.grpc_port == 14317
    assert settings.max_message_bytes == 4 * 1024 * 1024
    assert settings.ingest_budget_bytes == 1_000_000
    assert settings.query_timeout_s == 60
    assert settings.retention == (
        RetentionRule(None, 90 * 86_400, None),
        RetentionRule(None, None, 20 * 10**9),
        RetentionRule("team-a", 7 * 86_400, None),
    )
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.redact_patterns == ("secret-[0-9]{1,9}", "a,b")
    assert settings.capture_content


def test_lists_are_separated_by_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_CORS_ORIGINS", "https://a.example,https://b.example")
    monkeypatch.setenv("OTEL_LLM_RETENTION", "30d,team-a=7d")
    settings = load_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.retention == (RetentionRule(None, 30 * 86_400, None), RetentionRule("team-a", 7 * 86_400, None))


BAD_FILES = {
    "typo_port": "grcp_port in {file} is no setting; did you mean grpc_port?",
    "typo_dash": "grpc-port in {file} is no setting; did you mean grpc_port?",
    "typo_retention": "retension in {file} is no setting; did you mean retention?",
    "typo_table": "receiver in {file} is no setting",
    "port_text": "grpc_port in {file} is 'four', but grpc_port must be a whole number from 0 to 65535",
    "port_range": "api_port in {file} is 65536, but api_port must be a whole number from 0 to 65535",
    "flag_text": "require_tls in {file} is 'perhaps', but require_tls must be true or false",
    "retention_minutes": "retention in {file} is '5m', but retention must be limits such as 90d, 20GB, 90d,20GB or 30d,",
    "retention_project_only": "retention in {file} is '=20GB', but retention must be limits",
    "size_word": "max_message_bytes in {file} is 'lots', but max_message_bytes must be a size such as 500MB, 64MiB or 20GB",
    "timeout_zero": "query_timeout_s in {file} is 0, but query_timeout_s must be a duration such as 30s",
    "only_both": "only in {file} is 'both', but only must be one of receiver, api",
    "pattern_open": "redact_patterns in {file} is ['('], but redact_patterns must be regular expressions; '(' is none",
    "tls_half": "the settings do not fit together: tls_cert_file and tls_key_file belong together",
    "ports_equal": "the settings do not fit together: grpc_port, otlp_http_port and api_port must differ",
    "not_toml": "the configuration file {file} is not valid TOML",
    "not_utf8": "the configuration file {file} is not valid TOML",
    "log_format": "log_format in {file} is 'xml', but log_format must be one of text, json",
    "absent": "the configuration file {file} cannot be read: No such file or directory",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_wrong_file_is_refused_with_its_name_the_key_and_what_is_allowed(name: str) -> None:
    file = FILES / f"{name}.toml"
    with pytest.raises(ConfigError) as refusal:
        load_settings(config=file)
    text = str(refusal.value)
    assert text.startswith(BAD_FILES[name].format(file=file))
    assert "\n" not in text


def test_every_file_of_the_test_data_is_tested() -> None:
    assert {file.stem for file in FILES.glob("*.toml")} == set(BAD_FILES) - {"absent"} | {"good"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_LLM_GRPC_PORT", "x", "the environment variable OTEL_LLM_GRPC_PORT is 'x', but grpc_port must be a whole number"),
        ("OTEL_LLM_COMMIT_MAX_SPANS", "0", "but commit_max_spans must be a whole number above 0"),
        ("OTEL_LLM_COMMIT_INTERVAL_MS", "-1", "but commit_interval_ms must be a number of at least 0"),
        ("OTEL_LLM_DUCKDB_MEMORY_LIMIT", "lots", "but duckdb_memory_limit must be a size with its unit, such as 400MB"),
        ("OTEL_LLM_DUCKDB_MEMORY_LIMIT", "5", "but duckdb_memory_limit must be a size with its unit"),
        ("OTEL_LLM_DUCKDB_MEMORY_LIMIT", "80%", "but duckdb_memory_limit must be a size with its unit"),
        ("OTEL_LLM_DUCKDB_THREADS", "0", "but duckdb_threads must be a whole number"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refusal:
        load_settings()
    assert said in str(refusal.value)


@pytest.mark.parametrize("size", ["400MB", "1.5 GiB", "64kib", "2TB"])
def test_duckdb_opens_with_every_memory_limit_that_passes(size: str) -> None:
    limit = load_settings({"duckdb_memory_limit": size}).duckdb_memory_limit
    assert limit == size
    duckdb.connect(":memory:", config={"memory_limit": limit}).close()


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigError, match="the flag --api-port is 'x', but api_port must be"):
        load_settings({"api_port": "x"})


def test_a_misspelt_variable_is_pointed_out_and_a_foreign_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_GPRC_PORT", "1")
    monkeypatch.setenv("OTEL_LLM_API_KEY", "secret")
    monkeypatch.setenv("OTEL_LLM_COMPLETELY_ELSE_ENTIRELY", "1")
    assert unknown_variables() == [
        "the environment variable OTEL_LLM_GPRC_PORT is no setting; did you mean OTEL_LLM_GRPC_PORT?"
    ]


def test_secrets_are_never_shown() -> None:
    settings = Settings(
        database_url="postgresql+psycopg://otel:hunter2@db/otel?sslpassword=hunter3",
        hash_user_ids="hunter4",  # type: ignore[arg-type] # texts become secrets
    )
    shown = repr(settings) + str(settings) + settings.safe_database_url
    assert "hunter" not in shown
    assert settings.safe_database_url == "postgresql+psycopg://otel:***@db/otel?sslpassword=***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("duckdb:///otel-llm.duckdb", "duckdb:///otel-llm.duckdb"),
        ("clickhousedb://u:p@ss/w:rd@h:8123/d", "clickhousedb://u:***@h:8123/d"),
        ("postgresql+psycopg://user@host/db", "postgresql+psycopg://user@host/db"),
        ("user:p@ss@host/db", "user:***@host/db"),
        ("duckdb:///a@b.duckdb", "duckdb:///a@b.duckdb"),
        ("clickhousedb://h/d?access_token=abc&x=1", "clickhousedb://h/d?access_token=***&x=1"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert safe_url(url) == shown


@given(st.text("abc123-_.~%", min_size=1), st.text("pq!$&'()*+,;=:@/?#é", min_size=1))
def test_no_password_survives_in_a_shown_url(user: str, password: str) -> None:
    assert safe_url(f"postgresql+psycopg://{user}:{password}@host/db") == f"postgresql+psycopg://{user}:***@host/db"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("duckdb:///otel-llm.duckdb", Path("otel-llm.duckdb")),
        ("duckdb:////var/lib/x.duckdb", Path("/var/lib/x.duckdb")),
        ("duckdb:///a%20b.duckdb?threads=1", Path("a b.duckdb")),
        ("duckdb:///:memory:", None),
        ("duckdb://", None),
        ("postgresql+psycopg://h/d", None),
    ],
)
def test_the_file_of_an_embedded_store_is_found(url: str, file: Path | None) -> None:
    assert duckdb_file(url) == file


def test_every_setting_has_a_help_text_and_a_place_in_the_help() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    named = [name for _, names in SECTIONS for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "value"), [("90d", 7_776_000), ("1.5h", 5400), ("250ms", 0.25), ("10", 10), ("2 w", 1_209_600), ("5min", 300)]
)
def test_durations(text: str, value: float) -> None:
    assert quantities.seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("64MiB", 64 * 2**20), ("20GB", 20 * 10**9), ("1k", 1000), ("7", 7), ("1.5KiB", 1536)]
)
def test_sizes(text: str, value: int) -> None:
    assert quantities.size(text) == value


def test_an_age_that_no_time_reaches_is_refused() -> None:
    assert parse_rule("73000d") == RetentionRule(None, 73_000 * 86_400.0, None)
    for age in ("73001d", "9" * 400 + "d", "0d"):
        with pytest.raises(ValueError, match="at most 200 years"):
            parse_rule(age)


@given(st.text(max_size=12))
def test_no_text_makes_a_parser_fail_otherwise_than_by_value_error(text: str) -> None:
    for parse in (quantities.seconds, quantities.size, parse_rule):
        with suppress(ValueError):
            parse(text)
