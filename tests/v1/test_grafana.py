"""The Grafana dashboard asks for metrics that exist, with labels that they have."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.query_api.call_rows import call
from tests.query_api.conftest import QueryServer

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "otel-llm.json"
_SELECTOR = re.compile(r"(otel_llm_\w+)(?:\{([^}]*)\})?")


@pytest.fixture
def v1_server(own_v1_server: QueryServer) -> QueryServer:
    """A server of its own for each test, as counters are what is tested."""
    return own_v1_server


def test_every_metric_of_the_dashboard_is_served(v1_server: QueryServer) -> None:
    v1_server.store([call(input_tokens=1)])
    v1_server.accounting.record("spans", "default", rejected={"invalid_trace_id": 1}, values={"negative_tokens": 1})
    v1_server.accounting.refuse("too_large")
    v1_server.get("/api/v1/info")
    served: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(v1_server.client.get("/metrics").text):
        for sample in family.samples:
            served.setdefault(sample.name, set()).update(sample.labels)
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    found = [(name, labels) for expression in asked for name, labels in _SELECTOR.findall(expression)]
    assert len(found) > 30
    for name, labels in found:
        assert name in served, name
        assert {label.split("=")[0] for label in labels.split(",") if label} <= served[name] | {"job"}, (name, labels)
    for expression in asked:
        names = _SELECTOR.findall(expression)
        for label in re.findall(r"by \(([^)]*)\)", expression):
            assert {part.strip() for part in label.split(",")} <= served[names[0][0]] | {"le"}, expression


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
