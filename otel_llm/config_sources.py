"""Reads the sources of :class:`~otel_llm.config.Settings` and says where a wrong value came from.

Order: defaults < TOML file (``--config`` or ``OTEL_LLM_CONFIG``) < environment < flags.
"""

import difflib
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from otel_llm import quantities
from otel_llm.config import Settings
from otel_llm.database_url import safe_url
from otel_llm.errors import ConfigError
from otel_llm.retention import RETENTION_FORM

PREFIX = "OTEL_LLM_"
NOT_SETTINGS = frozenset(f"{PREFIX}{name}" for name in ("CONFIG", "API_KEY", "SERVER", "ENDPOINT", "PROTOCOL", "COMPRESSION"))
"""Variables of this prefix that the command line and an instrumented app read themselves."""


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings of this process. ``flags`` holds field names; a flag that is None was not given. Raises ConfigError."""
    file = config or _file_from_environment()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is not None:
        for name, value in _read_file(file).items():
            values[name], origins[name] = value, f"{name} in {file}"
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if os.environ.get(variable):
            values[name], origins[name] = os.environ[variable], f"the environment variable {variable}"
    for name, value in (flags or {}).items():
        if value is not None:
            values[name], origins[name] = value, f"the flag {flag_name(name)}"
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(_sentence(error, values, origins)) from None


def flag_name(field: str) -> str:
    """``grpc_port`` → ``--grpc-port``."""
    return "--" + field.replace("_", "-")


def unknown_variables() -> list[str]:
    """A sentence for every ``OTEL_LLM_*`` variable that looks like a misspelt setting."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    found = ((name, _did_you_mean(name, known)) for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known)
    return [f"the environment variable {name} is no setting{hint}" for name, hint in found if hint]


def _file_from_environment() -> Path | None:
    path = os.environ.get(PREFIX + "CONFIG")
    return Path(path) if path else None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration file {file} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {file} is not valid TOML: {error}") from None
    for name in values:
        if name not in Settings.model_fields:
            raise ConfigError(f"{name} in {file} is no setting{_did_you_mean(name, Settings.model_fields)}")
    return values


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.replace("-", "_"), list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _sentence(error: ValidationError, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    first = error.errors(include_url=False)[0]
    location = str(first["loc"][0]) if first["loc"] else ""
    if location not in values:
        return f"the settings do not fit together: {first['msg'].removeprefix('Value error, ')}"
    field = Settings.model_fields[location]
    reason = first["msg"].removeprefix("Value error, ").removeprefix("expected ")
    allowed = _allowed(location, field) or reason
    return f"{origins[location]} is {_shown(location, values[location])}, but {location} must be {allowed}"


def _shown(name: str, value: Any) -> str:
    if name == "database_url":
        return repr(safe_url(str(value)))
    return "not usable" if _plain(Settings.model_fields[name].annotation) is SecretStr else repr(value)


def _plain(annotation: Any) -> Any:
    """The type of a field without ``| None``."""
    if get_origin(annotation) in {types.UnionType, Union}:
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _allowed(name: str, field: FieldInfo) -> str | None:
    """What a setting may be, in words; None where the validation's own message says it best."""
    if name == "retention":
        return RETENTION_FORM
    if name == "duckdb_memory_limit":
        return None
    annotation = _plain(field.annotation)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(annotation)))
    if annotation is bool:
        return "true or false"
    bounds = {key: getattr(part, key) for part in field.metadata for key in ("ge", "le", "gt") if hasattr(part, key)}
    limits = (
        f" from {bounds['ge']} to {bounds['le']}"
        if {"ge", "le"} <= bounds.keys()
        else f" of at least {bounds['ge']}"
        if "ge" in bounds
        else f" above {bounds['gt']}"
        if "gt" in bounds
        else ""
    )
    if name.endswith("_bytes"):
        return quantities.SIZE_FORM
    if name.endswith("_s") and annotation is float:
        return quantities.DURATION_FORM
    kind = {int: "a whole number", float: "a number", str: "a text that is not empty"}.get(annotation)
    return kind + limits if kind else None
