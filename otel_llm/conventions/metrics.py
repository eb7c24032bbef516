"""GenAI metrics: kept as they came, never added to what spans say. All other metrics are ignored.

An aggregated point has no call it belongs to; a histogram of durations says nothing that the spans do not say better.
Kept points answer what an operator asks when the spans are missing.
"""

import hashlib
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.identity import Fault, check_times
from otel_llm.conventions.routes import key_route
from otel_llm.conventions.values import TEXT_CAP, clean, clean_attributes, json_text, text
from otel_llm.spans import MetricPoint, Rejection, SpanBatch

KEPT: Final = (
    "gen_ai.",
    "claude_code.",
    "codex.",
    "gemini_cli.",
    "llm.",
    "operation.cost",
    "vllm:",
    "db.client.operation.duration",
)
"""Beginnings of the names of metrics that are kept."""
NOT_GEN_AI: Final = "metric_without_llm"
EMPTY: Final = "metric_without_value"
NO_RECORDED_VALUE: Final = 1
"""OTLP data point flag: the point says that there is no value."""


def extract_metrics(
    message: ExportMetricsServiceRequest, *, project: str, key_id: str | None, now_ns: int, content: ContentPolicy
) -> Extraction:
    """Reads a metrics request into metric points; ``received`` counts data points. Never raises."""
    result = Extraction(SpanBatch(), 0)
    for resource_metrics in message.resource_metrics:
        resource = clean_attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = clean(scope_metrics.scope.name)
            for metric in scope_metrics.metrics:
                _read(metric, resource, scope, project, now_ns, content, result)
    return result


def _read(
    metric: Metric, resource: dict[str, Any], scope: str, project: str, now_ns: int, content: ContentPolicy, result: Extraction
) -> None:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    points = getattr(metric, kind).data_points
    result.received += len(points)
    name = clean(metric.name)[:TEXT_CAP]
    if not name.startswith(KEPT):
        if len(points):
            result.ignored[NOT_GEN_AI] += len(points)
        return
    unit = clean(metric.unit)[:TEXT_CAP]
    guard = content.guard()
    for point in points:
        if point.flags & NO_RECORDED_VALUE:
            result.ignored[EMPTY] += 1
            continue
        times = check_times(point.start_time_unix_nano, point.time_unix_nano, now_ns)
        if isinstance(times, Fault):
            result.rejections.append(Rejection(project, now_ns, "data_points", "", "", times.reason, times.detail))
            continue
        start_ns, time_ns = times
        attributes = clean_attributes(point.attributes)
        if not content.capture:
            attributes = {key: value for key, value in attributes.items() if not key_route(key).content}
        if guard is not None:
            attributes, _ = guard.attributes(attributes, b"")
        told = json_text(dict(sorted(attributes.items())))
        key = (project, name, kind, scope, json_text(dict(sorted(resource.items()))), told, str(start_ns), str(time_ns))
        result.metric_points.append(
            MetricPoint(
                project=project,
                point_key=hashlib.sha256("\x00".join(key).encode("utf-8", "replace")).digest()[:16],
                name=name,
                unit=unit,
                type=kind,
                start_ns=start_ns,
                time_ns=time_ns,
                service_name=text(resource.get("service.name")),
                attributes=told,
                value=json_text(_value(point, kind)),
            )
        )


def _value(point: Any, kind: str) -> dict[str, Any]:
    """A data point's value as a plain object."""
    if kind in ("gauge", "sum"):
        which = point.WhichOneof("value")
        return {"value": _finite(getattr(point, which)) if which else None}
    value: dict[str, Any] = {"count": point.count, "sum": _finite(point.sum)}
    if kind == "summary":
        value["quantiles"] = [[_finite(item.quantile), _finite(item.value)] for item in point.quantile_values]
        return value
    if point.HasField("min"):
        value["min"] = _finite(point.min)
    if point.HasField("max"):
        value["max"] = _finite(point.max)
    if kind == "histogram":
        value["bounds"] = [_finite(bound) for bound in point.explicit_bounds]
        value["counts"] = list(point.bucket_counts)
    else:
        value["scale"] = point.scale
        value["zero_count"] = point.zero_count
        for side in ("positive", "negative"):
            buckets = getattr(point, side)
            value[side] = {"offset": buckets.offset, "counts": list(buckets.bucket_counts)}
    return value


def _finite(number: float) -> float | str:
    """The number, or its name when JSON has no form for it."""
    return number if number - number == 0 else str(number)
