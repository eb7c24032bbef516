"""Options of commands that report on calls, and where such a command gets its report."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

import click

from otel_llm.cli.store_options import StoreOptions, reach, store_options

Function = TypeVar("Function", bound=Callable[..., Any])
Document = dict[str, Any]
NS = 1_000_000_000


@dataclass(frozen=True)
class CallOptions:
    """What the options said; times in ISO 8601 or None."""

    start: str | None
    end: str | None
    model: str | None
    provider: str | None
    agent: str | None
    user: str | None


def call_options(function: Function) -> Function:
    """Adds the filters, --project, --json and the store options; the command gets ``store``, ``project``, ``calls`` and
    ``as_json``."""

    @wraps(function)
    def command(*args: Any, start: str | None, end: str | None, **kwargs: Any) -> Any:
        filters = {name: kwargs.pop(f"only_{name}") for name in ("model", "provider", "agent", "user")}
        calls = CallOptions(iso_time(start, "--from"), iso_time(end, "--to"), **filters)
        return function(*args, calls=calls, **kwargs)

    when = "a time (2026-11-01, 2026-11-01T08:00:00Z) or a time ago (90m, 24h, 7d)"
    options = (
        click.option("--from", "start", metavar="WHEN", help=f"Calls from then on: {when}. Default: all."),
        click.option("--to", "end", metavar="WHEN", help="Calls before then; in the same forms. Default: now."),
        click.option("--model", "only_model", metavar="NAME", help="Only this model, as it was sent."),
        click.option("--provider", "only_provider", metavar="NAME", help="Only this provider."),
        click.option("--agent", "only_agent", metavar="NAME", help="Only this agent (its name or id, else the service)."),
        click.option("--user", "only_user", metavar="ID", help="Only this user (the call's own, else its trace's)."),
        click.option(
            "--project", default="default", show_default=True, metavar="NAME", help="Project, when the store is read itself."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    command = store_options(command)
    for option in reversed(options):
        command = option(command)
    return command  # type: ignore[return-value] # options only add keyword arguments


def report(store: StoreOptions, project: str, calls: CallOptions, kind: str, limit: int | None = None) -> Document:
    """The report ``stats``, ``models`` or ``calls``, from the store itself or from the server that owns it."""
    from otel_llm.cli.server_client import ServerClient

    with reach(store, project=project) as found:
        if isinstance(found, ServerClient):
            asked = asdict(calls)
            query = {"from": asked.pop("start"), "to": asked.pop("end"), **asked, "limit": limit}
            answer = found.get(f"/api/v1/{kind}", query)
            assert isinstance(answer, dict)  # noqa: S101 every report is an object
            return answer
        return _from_store(found, project, calls, kind, limit)


def _from_store(engine: Any, project: str, calls: CallOptions, kind: str, limit: int | None) -> Document:
    from otel_llm.store.queries import reports
    from otel_llm.store.queries.calls import CallFilter
    from otel_llm.store.queries.reading import reading
    from otel_llm.store.queries.window import Window

    window = Window.before(_ns(calls.start), _ns(calls.end))
    filters = CallFilter(user_id=calls.user, provider=calls.provider, model=calls.model, agent=calls.agent)
    with reading(engine, STORE_TIMEOUT_S) as reader:
        if kind == "stats":
            return reports.stats(reader, project, window, filters)
        if kind == "models":
            return {"models": reports.models(reader, project, window, filters)}
        return {"calls": reports.recent(reader, project, window, filters, limit or 20)}


STORE_TIMEOUT_S = 600.0
"""Nobody else waits for a store that this command alone has open."""


def iso_time(text: str | None, option: str) -> str | None:
    """The time an option names (a time, or a time ago), as ISO 8601 in UTC. Raises click.BadParameter."""
    if not text:
        return None
    from otel_llm.quantities import seconds

    if text == "now":
        return datetime.now(UTC).isoformat()
    if text[-1:].isalpha() and text[-1] not in "Zz":
        try:
            return datetime.fromtimestamp(time.time() - seconds(text), UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            pass
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a time such as 2026-11-01 or 2026-11-01T08:00:00Z nor a time ago such as 24h or 7d",
            param_hint=option,
        ) from None
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _ns(text: str | None) -> int | None:
    if text is None:
        return None
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1_000


def time_ns(text: str | None, option: str) -> int | None:
    """The time an option names (a time, or a time ago), in ns since 1970. Raises click.BadParameter."""
    return _ns(iso_time(text, option))
