"""Every documented answer computed the slow way, from the rows themselves: plain Python, numpy for percentiles."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from otel_llm.conventions.providers import normalised
from otel_llm.spans import Finding

from .call_rows import DAY, SECOND

Row = dict[str, Any]


def half_up(value: Fraction | float, places: int) -> float:
    """Rounded half up; noise of doubles beyond the tenth digit is no part of the value."""
    if isinstance(value, Fraction):
        scaled = value * 10**places
        return ((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)) / 10**places
    return float(Decimal(repr(round(value, places + 6))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def bucket(time_ns: int, unit: str) -> datetime:
    """Start of the bucket."""
    moment = datetime.fromtimestamp(time_ns // SECOND, UTC)
    day = moment.replace(hour=0, minute=0, second=0)
    return {
        "minute": moment.replace(second=0),
        "hour": moment.replace(minute=0, second=0),
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }[unit]


class Oracle:
    """Answers about one project."""

    def __init__(self, rows: Iterable[Row], findings: Iterable[Finding], project: str = "default") -> None:
        self.project = project
        self.rows = [row for row in rows if row["project"] == project]
        self.findings = [finding for finding in findings if finding.project == project]
        self.traces: dict[bytes, list[Row]] = defaultdict(list)
        for row in self.rows:
            self.traces[row["trace_id"]].append(row)
        for spans in self.traces.values():
            spans.sort(key=lambda row: (row["parent_span_id"] is not None, row["start_ns"], row["span_id"]))
        self.calls = [row for row in self.rows if row["counted"]]

    # values

    def of_trace(self, row: Row, name: str) -> Any:
        return next((span[name] for span in self.traces[row["trace_id"]] if span[name] is not None), None)

    def effective(self, row: Row, name: str) -> Any:
        return row[name] if row[name] is not None else self.of_trace(row, name)

    def of_user(self, row: Row, name: str) -> Any:
        if row[name] is not None:
            return row[name]
        user = self.effective(row, "user_id")
        return next((s[name] for s in self.traces[row["trace_id"]] if s["user_id"] == user and s[name] is not None), None)

    @staticmethod
    def model(row: Row) -> str | None:
        return row["response_model"] if row["response_model"] is not None else row["request_model"]

    @staticmethod
    def cost(row: Row) -> float:
        return row["cost_reported"] if row["cost_reported"] is not None else row["cost_computed"] or 0.0

    def model_name(self, row: Row) -> str:
        sent = self.model(row)
        if sent is None:
            return "unknown"
        prefix, slash, name = sent.partition("/")
        own = row["provider"] is not None and not row["provider_inferred"]
        return name if slash and prefix and name and own and normalised(prefix) == row["provider"] else sent

    def user_filter(self, body: dict[str, Any]) -> Callable[[Row], bool]:
        def passes(row: Row) -> bool:
            tags = json.loads(self.of_user(row, "user_tags") or "[]")
            return (
                (not body.get("user_id") or self.effective(row, "user_id") == body["user_id"])
                and (not body.get("user_name") or self.of_user(row, "user_name") == body["user_name"])
                and (not body.get("user_tags") or bool(set(body["user_tags"]) & set(tags)))
            )

        return passes

    # LangDB

    def langdb_calls(self, body: dict[str, Any]) -> list[Row]:
        first, end = body["start_time_us"] * 1_000, body["end_time_us"] * 1_000
        passes = self.user_filter(body)
        return [row for row in self.calls if first <= row["start_ns"] < end and passes(row)]

    def usage(self, calls: list[Row]) -> dict[str, Any]:
        return {
            "total_input_tokens": sum(row["input_tokens"] or 0 for row in calls),
            "total_output_tokens": sum(row["output_tokens"] or 0 for row in calls),
            "total_cost": math.fsum(map(self.cost, calls)),
        }

    def usage_models(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        unit = body.get("min_unit", "day")
        groups: dict[tuple[datetime, str, str], list[Row]] = defaultdict(list)
        for row in self.langdb_calls(body):
            groups[bucket(row["start_ns"], unit), row["provider"] or "unknown", self.model_name(row)].append(row)
        order = sorted(groups, key=lambda key: (-key[0].timestamp(), key[1], key[2]))
        return [
            {unit: f"{key[0]:%Y-%m-%d %H:%M:%S}", "provider": key[1], "model_name": key[2], **self.usage(groups[key])}
            for key in order
        ]

    def group(self, row: Row, body: dict[str, Any]) -> tuple[str, ...]:
        tags = json.loads(row["request_tags"] or "{}")
        found: list[str] = []
        for word in body.get("groupBy") or []:
            if word == "provider":
                found.append(row["provider"] or "unknown")
            elif word == "model":
                found.append(self.model_name(row))
            elif body.get("tag_keys"):
                found += [tags.get(key, "") for key in body["tag_keys"]]
            else:
                found.append("&".join(f"{key}={tags[key]}" for key in sorted(tags)))
        return tuple(found)

    def analytics(self, body: dict[str, Any], unit: str | None) -> list[dict[str, Any]]:
        groups: dict[tuple[Any, tuple[str, ...]], list[Row]] = defaultdict(list)
        for row in self.langdb_calls(body):
            groups[bucket(row["start_ns"], unit) if unit else None, self.group(row, body)].append(row)
        rows = []
        for when, group in sorted(groups):
            row = self.analytics_row(groups[when, group])
            if unit:
                row[unit] = f"{when:%Y-%m-%d %H:%M:%S}"
            if body.get("groupBy"):
                row["tag_tuple"] = list(group)
            rows.append(row)
        return rows if unit else sorted(rows, key=lambda row: -row["total_cost"])

    def analytics_row(self, calls: list[Row]) -> dict[str, Any]:
        durations = [row["end_ns"] - row["start_ns"] for row in calls]
        ttfts = [duration if row["ttft_ns"] is None else row["ttft_ns"] for row, duration in zip(calls, durations, strict=True)]
        rated = [row for row in calls if row["end_ns"] > row["start_ns"] and row["output_tokens"]]
        seconds = [(row["end_ns"] - row["start_ns"]) / SECOND for row in rated]
        tps = [((row["input_tokens"] or 0) + row["output_tokens"]) / s for row, s in zip(rated, seconds, strict=True)]
        tpot = [s / row["output_tokens"] for row, s in zip(rated, seconds, strict=True)]
        usage = self.usage(calls)
        tokens = usage["total_input_tokens"] + usage["total_output_tokens"]
        output = usage["total_output_tokens"]
        total = sum(durations)
        mean = half_up(Fraction(total, len(calls) * 10**6), 1)
        mean_ttft = half_up(Fraction(sum(ttfts), len(calls) * 10**6), 1)
        errors = sum(row["error"] for row in calls)
        return {
            **usage,
            "total_requests": len(calls),
            "total_duration": total / 1e6,
            "avg_duration": mean,
            "duration": mean,
            **_percentiles("duration", [value / 1e6 for value in durations], 1),
            "avg_ttft": mean_ttft,
            "ttft": mean_ttft,
            **_percentiles("ttft", [value / 1e6 for value in ttfts], 1),
            "tps": half_up(Fraction(tokens * SECOND, total), 2) if total else 0.0,
            **_percentiles("tps", tps, 2),
            "tpot": half_up(Fraction(total, output * SECOND), 2) if output else 0.0,
            **_percentiles("tpot", tpot, 2),
            "error_rate": errors / len(calls),
            "error_request_count": errors,
        }

    # AgentLens

    def agentlens_calls(self, first: int, last: int, agent: str | None, model: str | None, provider: str | None) -> list[Row]:
        return [
            row
            for row in self.calls
            if row["role"] == "generation"
            and first <= row["end_ns"] <= last
            and (agent is None or self.has_agent(row, agent))
            and (model is None or (self.model(row) or "unknown") == model)
            and (provider is None or (row["provider"] or "unknown") == provider)
        ]

    @staticmethod
    def has_agent(row: Row, agent: str) -> bool:
        if row["agent_name"] is not None or row["agent_id"] is not None:
            return agent in (row["agent_name"], row["agent_id"])
        return agent == (row["agentlens_agent_id"] if row["agentlens_agent_id"] is not None else row["service_name"])

    def llm(self, calls: list[Row], unit: str) -> dict[str, Any]:
        def totals(found: list[Row]) -> dict[str, Any]:
            return {
                "calls": len(found),
                "costUsd": math.fsum(map(self.cost, found)),
                "inputTokens": sum(row["input_tokens"] or 0 for row in found),
                "outputTokens": sum(row["output_tokens"] or 0 for row in found),
                "avgLatencyMs": sum(row["end_ns"] - row["start_ns"] for row in found) / (len(found) * 1e6) if found else 0.0,
            }

        models: dict[tuple[str, str], list[Row]] = defaultdict(list)
        times: dict[datetime, list[Row]] = defaultdict(list)
        for row in calls:
            models[row["provider"] or "unknown", self.model(row) or "unknown"].append(row)
            times[bucket(row["end_ns"], unit)].append(row)
        everything = totals(calls)
        return {
            "summary": {
                "totalCalls": everything["calls"],
                "totalCostUsd": everything["costUsd"],
                "totalInputTokens": everything["inputTokens"],
                "totalOutputTokens": everything["outputTokens"],
                "avgLatencyMs": everything["avgLatencyMs"],
                "avgCostPerCall": everything["costUsd"] / len(calls) if calls else 0.0,
            },
            "byModel": sorted(
                ({"provider": p, "model": m, **totals(found)} for (p, m), found in models.items()),
                key=lambda row: (-row["costUsd"], row["provider"], row["model"]),
            ),
            "byTime": [{"bucket": f"{when:%Y-%m-%dT%H:%M:%SZ}", **totals(times[when])} for when in sorted(times)],
        }

    # Langfuse

    def trace_name(self, spans: list[Row]) -> str | None:
        named = next((span["trace_name"] for span in spans if span["trace_name"] is not None), None)
        return named if named is not None else next((span["name"] for span in spans if span["parent_span_id"] is None), None)

    def daily(
        self,
        *,
        user: str | None = None,
        name: str | None = None,
        tags: Iterable[str] = (),
        environments: Iterable[str] = (),
        first: int = 0,
        end: int = 2**63,
    ) -> list[dict[str, Any]]:
        wanted = set(environments)
        days: dict[str, dict[str | None, list[Row]]] = defaultdict(lambda: defaultdict(list))
        begun: dict[str, int] = defaultdict(int)
        for spans in self.traces.values():
            earliest = min(spans, key=lambda row: (row["start_ns"], row["span_id"]))
            every_tag = {tag for span in spans for tag in json.loads(span["tags"] or "[]")}
            passes = (
                first <= earliest["start_ns"] < end
                and (user is None or self.of_trace(spans[0], "user_id") == user)
                and (name is None or self.trace_name(spans) == name)
                and set(tags) <= every_tag
                and (not wanted or (earliest["environment"] or "default") in wanted)
            )
            if not passes:
                continue
            begun[_day(earliest)] += 1
            for span in spans:
                if not wanted or (span["environment"] or "default") in wanted:
                    is_call = span["role"] in ("generation", "embedding")
                    days[_day(span)][self.model(span) if is_call else None].append(span)
        return [self.day(date, days[date], begun.get(date, 0)) for date in sorted(days, reverse=True)]

    def day(self, date: str, models: dict[str | None, list[Row]], begun: int) -> dict[str, Any]:
        usage = []
        for model, spans in models.items():
            counted = [span for span in spans if span["counted"]]
            both = [(span["input_tokens"] or 0) + (span["output_tokens"] or 0) for span in counted]
            usage.append(
                {
                    "model": model,
                    "inputUsage": sum(span["input_tokens"] or 0 for span in counted),
                    "outputUsage": sum(span["output_tokens"] or 0 for span in counted),
                    "totalUsage": sum(max(span["total_tokens"] or 0, n) for span, n in zip(counted, both, strict=True)),
                    "countTraces": len({span["trace_id"] for span in spans}),
                    "countObservations": len(spans),
                    "totalCost": sum((_places12(self.cost(span)) for span in counted), Decimal(0)),
                }
            )
        usage.sort(key=lambda row: (row["model"] is None, -row["totalUsage"], row["model"] or ""))
        return {
            "date": date,
            "countTraces": begun,
            "countObservations": sum(row["countObservations"] for row in usage),
            "totalCost": sum((row["totalCost"] for row in usage), Decimal(0)),
            "usage": usage,
        }

    # Flashback

    def grain(self, row: Row) -> dict[str, str]:
        service = "/".join(text for text in (row["service_namespace"], row["service_name"]) if text)
        host = row["server_address"]
        endpoint = [row["provider"], host, str(row["server_port"]) if host and row["server_port"] else None]
        provider = row["provider"] or ""
        types = {"azure.ai.openai": "openai", "azure.ai.inference": "openai", "aws.bedrock": "aws"}
        return {
            "repoId": row["repo_id"] or service or self.project,
            "aiLlmId": row["ai_llm_id"] or ":".join(part for part in endpoint if part),
            "repoAiApiKeyId": row["api_key_id"] or row["key_id"] or "",
            "llmType": "google" if provider.startswith("gcp.") else types.get(provider, provider),
            "llmModel": self.model(row) or "",
            "host": host or "",
            "userUuid": self.effective(row, "user_id") or "",
            "conversationUuid": self.effective(row, "session_id") or "",
        }

    def above(self, row: Row) -> list[Row]:
        by_id = {span["span_id"]: span for span in self.traces[row["trace_id"]]}
        found: list[Row] = []
        while (parent := by_id.get(row["parent_span_id"])) is not None and parent not in found:
            found.append(parent)
            row = parent
        return found

    def attribution(self) -> tuple[set[bytes], Callable[[bytes, bytes], Row | None]]:
        """Span ids of guardrails' own calls, and the call that something on a span belongs to."""
        guards: set[bytes] = set()
        for spans in self.traces.values():
            counted = [span for span in spans if span["counted"]]
            below = [span for span in counted if any(up["role"] == "guardrail" for up in self.above(span))]
            if len(below) < len(counted):
                guards |= {span["span_id"] for span in below}
        by_id = {span["span_id"]: span for span in self.rows}

        def call_of(trace_id: bytes, span_id: bytes) -> Row | None:
            spans = self.traces.get(trace_id, [])
            own = next((span for span in spans if span["span_id"] == span_id), None)
            for span in [own, *self.above(own)] if own else []:
                if span["role"] not in ("generation", "embedding") or span["span_id"] in guards:
                    continue
                keeper = span if span["counted"] else by_id.get(span["suppressed_by"])
                if keeper is not None:
                    return keeper
            calls = [span for span in spans if span["counted"] and span["span_id"] not in guards]
            return min(calls, key=lambda span: (span["start_ns"], span["span_id"]), default=None)

        return guards, call_of

    def stats(self, first: int, last: int, filters: dict[str, set[str]], unit: str) -> list[dict[str, Any]]:
        guards, call_of = self.attribution()
        found: dict[tuple[Any, ...], dict[str, Any]] = {}

        def at(time_ns: int, grain: dict[str, str]) -> dict[str, Any] | None:
            names = {"hosts": "host"}
            if not first <= time_ns <= last:
                return None
            if not all(grain[names.get(name, name)] in values for name, values in filters.items()):
                return None
            when = int(bucket(time_ns, unit).timestamp())
            fresh = {"calls": [], "guards": [], "findings": [], "grain": grain, "timestamp": when}
            return found.setdefault((when, *grain.values()), fresh)

        for row in self.rows:
            if row["counted"] and row["span_id"] not in guards:
                place = at(row["start_ns"], self.grain(row))
                if place:
                    place["calls"].append(row)
            reports = row["role"] == "guardrail" and not any(
                row in self.above(span) for span in self.traces[row["trace_id"]] if span["span_id"] in guards
            )
            if row["span_id"] in guards or reports:
                guarded = call_of(row["trace_id"], row["span_id"])
                place = at(guarded["start_ns"], self.grain(guarded)) if guarded else None
                if place:
                    place["guards"].append(row)
        for finding in self.findings:
            row = call_of(finding.trace_id, finding.span_id)
            if row is not None:
                place = at(row["start_ns"], self.grain(row))
            else:
                spans = self.traces.get(finding.trace_id, [])
                speaker = next((span for span in spans if span["span_id"] == finding.span_id), spans[0] if spans else None)
                empty = dict.fromkeys(
                    ("repoId", "aiLlmId", "repoAiApiKeyId", "llmType", "llmModel", "host", "userUuid", "conversationUuid"), ""
                )
                place = at(finding.time_ns, self.grain(speaker) if speaker else empty | {"repoId": self.project})
            if place:
                place["findings"].append(finding)
        return [_stats_row(found[key]) for key in sorted(found) if found[key]["calls"] or found[key]["findings"]]


def _stats_row(place: dict[str, Any]) -> dict[str, Any]:
    calls, guards, findings = place["calls"], place["guards"], place["findings"]

    def tokens(rows: list[Row], name: str) -> int:
        return sum(row[name] or 0 for row in rows)

    def count(field: str, value: str) -> int:
        return sum(getattr(finding, field) == value for finding in findings)

    return {
        "timestamp": place["timestamp"],
        **place["grain"],
        "tokensIn": str(tokens([*calls, *guards], "input_tokens")),
        "tokensOut": str(tokens([*calls, *guards], "output_tokens")),
        "llmTokensIn": str(tokens(calls, "input_tokens")),
        "llmTokensOut": str(tokens(calls, "output_tokens")),
        "activeConversations": int(place["grain"]["conversationUuid"] != ""),
        "apiCalls": len(calls),
        "policyViolations": len(findings),
        "numAlerts": count("action", "alert"),
        "numBlocks": count("action", "block"),
        "numSeverityLow": count("severity", "low"),
        "numSeverityMedium": count("severity", "medium"),
        "numSeverityHigh": count("severity", "high"),
        "latency_ms": sum(row["end_ns"] - row["start_ns"] for row in calls) / (len(calls) * 1e6) if calls else 0.0,
    }


def _percentiles(name: str, values: list[float], places: int) -> dict[str, float]:
    percents = (50, 90, 95, 99)
    found = np.percentile(values, percents).tolist() if values else [0.0] * len(percents)
    return {f"{name}_p{percent}": half_up(value, places) for percent, value in zip(percents, found, strict=True)}


def _day(row: Row) -> str:
    return f"{bucket(row['start_ns'], 'day'):%Y-%m-%d}"


def _places12(cost: float) -> Decimal:
    return Decimal(repr(cost)).quantize(Decimal("1e-12"), ROUND_HALF_UP)


__all__ = ["DAY", "Oracle", "bucket", "half_up"]
