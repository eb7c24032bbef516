"""GenAI metrics are kept as points; all other metrics are ignored."""

import json

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.metrics import extract_metrics
from tests.conventions.corpus import NOW_NS, SCENARIOS


def metrics(message: ExportMetricsServiceRequest) -> Extraction:
    return extract_metrics(message, project="p", key_id="k", now_ns=NOW_NS, content=ContentPolicy())


def _message() -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    scope = message.resource_metrics.add().scope_metrics.add()
    histogram = scope.metrics.add(name="gen_ai.client.token.usage", unit="{token}")
    point = histogram.histogram.data_points.add(time_unix_nano=5, start_time_unix_nano=1, count=2, sum=30)
    point.explicit_bounds.extend([10.0])
    point.bucket_counts.extend([1, 1])
    point.attributes.add(key="gen_ai.token.type").value.string_value = "input"
    cost = scope.metrics.add(name="claude_code.cost.usage", unit="USD")
    cost.sum.data_points.add(time_unix_nano=5, as_double=float("nan"))
    other = scope.metrics.add(name="http.server.duration")
    other.gauge.data_points.add(as_int=1)
    scope.metrics.add(name="gen_ai.empty")
    return message


def test_genai_points_are_kept_and_others_ignored() -> None:
    extraction = metrics(_message())
    assert extraction.received == 3
    assert extraction.ignored == {"metric_without_llm": 1}
    tokens, cost = extraction.metric_points
    assert (tokens.name, tokens.type, tokens.unit, tokens.start_ns, tokens.time_ns) == (
        "gen_ai.client.token.usage",
        "histogram",
        "{token}",
        1,
        5,
    )
    assert json.loads(tokens.value) == {"count": 2, "sum": 30.0, "bounds": [10.0], "counts": [1, 1]}
    assert json.loads(tokens.attributes) == {"gen_ai.token.type": "input"}
    assert json.loads(cost.value) == {"value": "nan"}
    assert len(extraction.batch) == 0


def test_a_resent_point_has_the_same_key_and_another_time_has_another() -> None:
    first, again = (metrics(_message()).metric_points[0].point_key for _ in range(2))
    later = _message()
    later.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0].time_unix_nano = 6
    assert first == again != metrics(later).metric_points[0].point_key


def test_the_metrics_of_captured_exports_are_read_and_accounted_for() -> None:
    kept = 0
    for scenario in SCENARIOS:
        for message in scenario.requests("metrics"):
            extraction = metrics(message)
            kept += len(extraction.metric_points)
            assert extraction.received == len(extraction.metric_points) + extraction.ignored.total()
            assert all(json.loads(point.value) and point.time_ns for point in extraction.metric_points)
    assert kept > 50


def test_users_of_points_are_hashed_where_user_ids_are() -> None:
    message = _message()
    point = message.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    point.attributes.add(key="user.email").value.string_value = "ann@example.com"
    policy = ContentPolicy(user_secret=b"s")
    extraction = extract_metrics(message, project="p", key_id=None, now_ns=NOW_NS, content=policy)
    assert "ann@example.com" not in extraction.metric_points[0].attributes
