"""The command line explains itself, and quickly."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from otel_llm.cli.main import main
from otel_llm.config import Settings
from otel_llm.config_sources import flag_name

HEAVY = {"pydantic", "sqlalchemy", "duckdb", "flask", "grpc", "genai_prices", "uvicorn"}


def help_of(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=120)
    assert result.exit_code == 0, result.output
    return result.output


def commands() -> list[tuple[str, ...]]:
    context = click.Context(main)
    found: list[tuple[str, ...]] = []
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, child) for child in command.list_commands(context)]
    return found


def test_the_first_page_lists_every_command_with_what_it_does() -> None:
    page = help_of()
    for name, *_ in commands():
        line = next(line for line in page.splitlines() if line.startswith(f"  {name} "))
        assert len(line.split(maxsplit=1)[1]) > 10
    assert page.index("  serve") < page.index("  keys") < page.index("  stats")


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_and_option_is_explained(words: tuple[str, ...]) -> None:
    context = click.Context(main)
    command: click.Command | None = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(context, word)
    assert command is not None
    assert command.help
    silent = [param.name for param in command.get_params(context) if isinstance(param, click.Option) and not param.help]
    assert silent == []
    assert help_of(*words)


def test_a_setting_of_few_values_shows_them() -> None:
    page = help_of("serve")
    for shown in ("--only [receiver|api]", "--log-level [debug|info|warning|error]", "--duckdb-threads NUMBER"):
        assert shown in page


def test_serve_takes_every_setting_as_a_flag_and_names_its_variable() -> None:
    page = help_of("serve")
    for name in Settings.model_fields:
        if name == "hash_user_ids":  # a secret: file and environment only
            assert flag_name(name) not in page
            continue
        assert flag_name(name) in page
        assert f"OTEL_LLM_{name.upper()}" in page.replace("\n", "").replace(" ", "")
    for words in ("serve",), ("keys", "create"), ("stats",), ("recent",):
        assert "Example" in help_of(*words)


def test_listing_the_commands_loads_nothing_heavy() -> None:
    """What makes --help slow is imports; they are counted rather than timed."""
    program = (
        "import sys, json; from otel_llm.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(answer.stdout.splitlines()[-1]))
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_an_unknown_command_is_an_error_and_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["nothing"]).exit_code == 2
    assert CliRunner().invoke(main, ["--version"]).output.startswith("otel-llm, version ")
