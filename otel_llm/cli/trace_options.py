"""What commands about one trace take: its id, maybe a span's, and the store."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from otel_llm.cli.store_options import store_options

Function = TypeVar("Function", bound=Callable[..., Any])


class HexId(click.ParamType):  # type: ignore[type-arg] # generic in the newest release only
    """An id in hexadecimal digits of either case."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self._digits = 2 * size

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id in lower case."""
        if not re.fullmatch(rf"[0-9a-fA-F]{{{self._digits}}}", value, re.ASCII):
            self.fail(f"a {self.name.replace('_', ' ')} is {self._digits} hexadecimal digits, not {value!r}", param, ctx)
        return value.lower()


def trace_options(function: Function) -> Function:
    """Adds TRACE_ID, SPAN_ID, --project, --json and the store options; the command gets ``store``, ``project``, ``trace_id``,
    ``span_id`` (None: the whole trace) and ``as_json``."""
    command = store_options(function)
    parameters = (
        click.argument("trace_id", type=HexId("trace_id", 16)),
        click.argument("span_id", type=HexId("span_id", 8), required=False),
        click.option(
            "--project", default="default", show_default=True, metavar="NAME", help="Project, when the store is read itself."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for parameter in reversed(parameters):
        command = parameter(command)
    return command
