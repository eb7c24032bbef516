"""``otel-llm``: the command line. A command is one file in :mod:`otel_llm.cli.commands`; nothing else names it.

The file ``some_thing.py`` holds a ``command`` object and becomes ``otel-llm some-thing``. Its module imports only click
and the standard library at the top, the rest inside the function that needs it, so that ``otel-llm --help`` stays quick.
"""

import pkgutil
from importlib import import_module
from typing import Any

import click

from otel_llm import __version__
from otel_llm.cli import commands

# read before the alphabet: what a newcomer needs first
_FIRST = ("serve", "demo", "keys", "projects", "stats", "models", "recent")


class CommandFolder(click.Group):
    """A group whose commands are the modules of a package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = [module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)]
        return sorted(names, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 the contract of the folder
        return command

    def invoke(self, ctx: click.Context) -> Any:
        from otel_llm.errors import ConfigError, OtelLLMError

        try:
            return super().invoke(ctx)
        except OtelLLMError as error:  # raised on purpose, its text is for the user: no traceback
            wrong_setting = isinstance(error, ConfigError)
            raise (click.UsageError(str(error)) if wrong_setting else click.ClickException(str(error))) from None


@click.command(
    cls=CommandFolder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Settings come from flags, else OTEL_LLM_* variables, else the file named by --config or OTEL_LLM_CONFIG. "
    "Read more with: otel-llm COMMAND --help",
)
@click.version_option(__version__, prog_name="otel-llm")
def main() -> None:
    """Turns OpenTelemetry GenAI spans into answers about LLM cost, tokens, latency and time to first token.

    \b
    Start:  otel-llm serve
    Send:   point any OTLP exporter at 127.0.0.1:4317 (gRPC) or 127.0.0.1:4318 (HTTP)
    Ask:    otel-llm stats, or the query API on http://127.0.0.1:8000
    """


if __name__ == "__main__":
    main(prog_name="otel-llm")
