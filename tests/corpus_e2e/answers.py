"""What the products' endpoints say about one hour, beside what a scenario's expected.json says they must."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Ask = Callable[..., Any]
"""``ask(path, query)`` is a GET, ``ask(path, body=...)`` a POST; both give the JSON of a success."""

HOUR_S = 3_600


def answers(ask: Ask, hour_s: int, expect: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is compared, of the hour that begins at ``hour_s``."""
    micros = {"start_time_us": hour_s * 10**6, "end_time_us": (hour_s + HOUR_S) * 10**6}
    first, last = (datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for s in (hour_s, hour_s + HOUR_S - 1))
    found = {
        "sums": ask("/analytics/summary", body=micros)["summary"],
        "models": ask("/analytics/summary", body={**micros, "groupBy": ["provider", "model"]})["summary"],
        "usage": ask("/usage/models", body={**micros, "min_unit": "hour"})["models"],
        "agentlens": ask("/api/analytics/llm", {"from": first, "to": last, "granularity": "hour"}),
        "flashback": ask("/aistats/daily", {"startDate": first, "endDate": last})["data"],
    }
    if expect["user"]:
        found["of_user"] = ask("/usage/total", body={**micros, "user_id": names[expect["user"]["value"]]})["total"]
    if expect["tags"]:
        window = {"fromTimestamp": first, "toTimestamp": last}
        found["tagged"] = {
            tag: sum(day["countTraces"] for day in ask("/api/public/metrics/daily", {**window, "tags": tag})["data"])
            for tag in (*expect["tags"]["value"], "a tag nobody sent")
        }
    return found


def differences(found: Mapping[str, Any], expect: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Where the answers are not what is expected; every number must be equal."""
    wrong: list[str] = []

    def equal(what: str, got: Any, want: Any) -> None:
        if got != want:
            wrong.append(f"{what}: {got!r}, expected {want!r}")

    calls, tokens_in, tokens_out = expect["calls"], expect["input_tokens"], expect["output_tokens"]
    (sums,) = found["sums"] or [Counter()]
    equal("LangDB requests", sums["total_requests"], calls)
    equal("LangDB input tokens", sums["total_input_tokens"], tokens_in)
    equal("LangDB output tokens", sums["total_output_tokens"], tokens_out)
    equal("LangDB errors", sums["error_request_count"], expect["errors"])
    if expect["ttft_ms"]:
        low, high = expect["ttft_ms"]
        if not low <= sums["avg_ttft"] <= high:
            wrong.append(f"LangDB time to first token: {sums['avg_ttft']} ms, expected {low} to {high}")
    if expect["cost"] is not None and abs(sums["total_cost"] - expect["cost"]) > 1e-9:
        wrong.append(f"LangDB cost: {sums['total_cost']}, expected {expect['cost']}")
    # as sent ("openai.chat"), or without what follows the provider's name; each of them can be told
    providers = {name for sent in expect["providers"] for name in (sent, sent.partition(".")[0])} - {"unknown", ""}
    # Flashback has names of its own for the clouds
    llm_types = providers | {{"gcp": "google", "aws": "aws"}.get(name.partition(".")[0], name) for name in providers}
    by_model: Counter[str] = Counter()
    for row in found["models"]:
        by_model[_model(row["tag_tuple"][1])] += row["total_requests"]
    for group in expect["models"]:
        equal(f"LangDB requests of {group['accept']}", sum(by_model[name] for name in _accepted(group)), group["calls"])
    models = {name for group in expect["models"] for name in _accepted(group)}
    equal("models nobody called", set(by_model) - models, set())
    equal("providers nobody called", {row["tag_tuple"][0] for row in found["models"]} - providers, set())

    usage = found["usage"]
    equal("usage by model, input tokens", sum(row["total_input_tokens"] for row in usage), tokens_in)
    equal("usage by model, output tokens", sum(row["total_output_tokens"] for row in usage), tokens_out)
    equal("usage by model, others", {_model(row["model_name"]) for row in usage} - models, set())

    agentlens = found["agentlens"]["summary"]
    equal("AgentLens calls", agentlens["totalCalls"], expect["agentlens_calls"])
    equal("AgentLens input tokens", agentlens["totalInputTokens"], expect["agentlens_input_tokens"])
    equal("AgentLens output tokens", agentlens["totalOutputTokens"], tokens_out)
    equal("AgentLens, others", {_model(row["model"]) for row in found["agentlens"]["byModel"]} - models, set())

    rows = found["flashback"]
    equal("Flashback calls", _sum(rows, "apiCalls"), calls)
    equal("Flashback input tokens", _sum(rows, "llmTokensIn"), tokens_in)
    equal("Flashback output tokens", _sum(rows, "llmTokensOut"), tokens_out)
    equal("Flashback, others", {_model(row["llmModel"]) for row in rows} - models, set())
    equal("Flashback providers, others", {row["llmType"] for row in rows} - llm_types, set())
    if expect["host"]:
        equal("Flashback hosts", {row["host"] for row in rows}, set(expect["host"]))
    for what, key in (("user", "userUuid"), ("session", "conversationUuid")):
        if expect[what]:
            mine = [row for row in rows if row[key] == names[expect[what]["value"]]]
            equal(f"Flashback calls of the {what}", _sum(mine, "apiCalls"), calls)
    if expect["user"]:
        equal("LangDB input tokens of the user", found["of_user"]["total_input_tokens"], tokens_in)
    for tag, traces in found.get("tagged", {}).items():
        equal(f"Langfuse has traces tagged {tag!r}", traces > 0, tag in expect["tags"]["value"])
    return wrong


def _sum(rows: list[Mapping[str, Any]], key: str) -> int:
    return sum(int(row[key]) for row in rows)


def _model(name: str) -> str:
    return name.rpartition("/")[2]


def _accepted(group: Mapping[str, Any]) -> set[str]:
    return {_model(name) for name in group["accept"]}
