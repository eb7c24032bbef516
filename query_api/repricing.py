"""``/api/v1/admin/reprice``: computes the cost of stored calls anew, in the background of the server.

POST starts a run (202), GET tells how far the last one is, DELETE ends it. One run at a time: a second one is a 409.
"""

from collections.abc import Callable
from typing import Any

from otel_llm.access import Caller
from otel_llm.access.audit import OPERATOR
from otel_llm.collector import Collector
from otel_llm.errors import ConfigError
from otel_llm.pricing.repricing import RepricingBusy, Run
from otel_llm.store.queries.window import Window
from query_api.errors import ApiError
from query_api.instants import parse_instant

Document = dict[str, Any]


def start(collector: Collector, caller: Caller, body: Document, project: str | None) -> Document:
    """Starts a run over ``project`` (None: every one). The operator's prices are read from their file again."""
    dry_run = body.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise ApiError(400, "dry_run is true or false")
    run = Run(
        project,
        Window.before(_instant(body, "from"), _instant(body, "to")),
        dry_run=dry_run,
        actor=caller.key_id or OPERATOR,
    )
    try:
        collector.repricing.start(run)
    except RepricingBusy as error:
        raise ApiError(409, str(error)) from None
    except ConfigError as error:
        raise ApiError(400, str(error)) from None
    return run.document()


def last(collector: Collector, manages: Callable[[str], bool], *, operator: bool) -> Run:
    """The last run, if the caller manages its project. Refuses with 404 when there is none."""
    run = collector.repricing.last
    if run is None or not (operator or (run.project is not None and manages(run.project))):
        raise ApiError(404, "nothing was repriced since this server started")
    return run


def _instant(body: Document, name: str) -> int | None:
    if body.get(name) is None:
        return None
    found = parse_instant(body[name])
    if found is None:
        raise ApiError(400, f"{name} is ISO 8601, e.g. 2026-02-08 or 2026-02-08T10:00:00Z")
    return found.ns
