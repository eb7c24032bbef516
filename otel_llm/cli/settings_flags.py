"""Every setting as a flag: made from the fields of :class:`~otel_llm.config.Settings`, so that none can be forgotten."""

from pathlib import Path
from typing import Any

import click

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Where", ("database_url", "host", "grpc_port", "otlp_http_port", "api_port", "only")),
    (
        "Door",
        ("require_tls", "tls_cert_file", "tls_key_file", "tls_client_ca_file", "cors_origins", "keys_refresh_s"),
    ),
    ("Privacy", ("capture_content", "capture_content_max_bytes", "redact", "redact_keys", "redact_patterns")),
    ("Store", ("retention", "retention_interval_s", "prices_file", "update_prices")),
    ("Logging", ("log_level", "log_format")),
)
"""Headings of the help text; settings that are not named here follow under "Limits and tuning"."""
LAST_SECTION = "Limits and tuning"


class SettingsCommand(click.Command):
    """A command that takes every setting as a flag. It gets ``config`` and ``flags`` (field name → text or None).

    The flags are made when they are first needed: listing the commands must not load the settings machinery.
    """

    _flags: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._flags is None:
            self._flags = _make_flags()
        help_option = self.get_help_option(ctx)
        return [*self._flags, *self.params, *([help_option] if help_option else [])]

    def invoke(self, ctx: click.Context) -> Any:
        names = {flag.name for flag in self._flags or ()}
        flags = {name: ctx.params.pop(name) for name in list(ctx.params) if name in names}
        ctx.params["flags"] = flags
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        params = {param.name: param for param in self.get_params(ctx)}
        sections = [(title, [params.pop(name) for name in names]) for title, names in SECTIONS]
        flags = [params.pop(flag.name) for flag in self._flags or () if flag.name in params]
        for title, members in [*sections, (LAST_SECTION, flags), ("Other", list(params.values()))]:
            records = [record for param in members if (record := param.get_help_record(ctx))]
            with formatter.section(title):
                formatter.write_dl(records)


def config_option() -> click.Option:
    """``--config``: the file to read settings from."""
    return click.Option(
        ["--config"],
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="OTEL_LLM_CONFIG",
        show_envvar=True,
        help="TOML file with settings: the names of the flags with underscores.",
    )


def _make_flags() -> list[click.Option]:
    from typing import get_args

    from pydantic import SecretStr

    from otel_llm.config import Settings
    from otel_llm.config_sources import PREFIX, flag_name

    flags = []
    for name, field in Settings.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            continue  # a secret on a command line is visible to every user of the machine: file or environment only
        flag = flag_name(name)
        default = "" if field.default in (None, ()) or isinstance(field.default, bool) else f"; default: {field.default}"
        boolean = field.annotation is bool
        flags.append(
            click.Option(
                [f"{flag}/--no-{flag[2:]}"] if boolean else [flag],
                default=None,
                metavar=None if boolean else _metavar(field.annotation),
                # the environment is read with the file and the defaults, which know the order of precedence
                help=f"{field.description}  [env: {PREFIX}{name.upper()}{default}]",
            )
        )
    return flags


def _metavar(annotation: Any) -> str:
    from typing import Literal, get_args, get_origin

    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return f"[{'|'.join(kinds)}]"
    if len(kinds) == 1:
        return _metavar(kinds[0])
    return {int: "NUMBER", float: "NUMBER"}.get(annotation, "TEXT")
