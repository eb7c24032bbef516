"""MLflow tracing: every attribute value is JSON text, so that plain text carries a second pair of quotes."""

from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import parts_of

_USAGE = "mlflow.chat.tokenUsage"
_COST = "mlflow.llm.cost"

MLFLOW = Dialect(
    name="mlflow",
    title="MLflow",
    order=30,
    scopes=("mlflow*",),
    fingerprints=("mlflow.spanType", "mlflow.chat.tokenUsage"),
    # The number is what each autologger's provider gave.
    raw_cache=True,
    sources=(
        Source("mlflow_type", 10, "mlflow.spanType"),
        Source("request_model", 50, "mlflow.llm.model"),
        # A failed call has no mlflow.llm.model, only the parameter it was made with.
        Source("request_model", 82, "model", only=frozenset({"mlflow"})),
        Source("provider", 60, "mlflow.llm.provider"),
        Source("input_tokens", 80, _USAGE + "#input_tokens"),
        Source("output_tokens", 80, _USAGE + "#output_tokens"),
        Source("total_tokens", 45, _USAGE + "#total_tokens"),
        Source("cache_read_tokens", 100, _USAGE + "#cache_read_input_tokens"),
        Source("cache_write_tokens", 90, _USAGE + "#cache_creation_input_tokens"),
        Source("cache_write_1h_tokens", 90, _USAGE + "#cache_creation_input_tokens_above_1hr"),
        Source("reasoning_tokens", 75, _USAGE + "#reasoning_tokens"),
        Source("cost", 70, _COST + "#total_cost"),
        Source("cost_reported_input", 70, _COST + "#input_cost"),
        Source("cost_reported_output", 70, _COST + "#output_cost"),
        Source("user_id", 300, "mlflow.trace.user"),
        Source("session_id", 300, "mlflow.trace.session"),
    ),
    opened=(
        Opened(
            _USAGE,
            parts_of(
                "input_tokens",
                "output_tokens",
                "total_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "cache_creation_input_tokens_above_1hr",
                "reasoning_tokens",
            ),
        ),
        Opened(_COST, parts_of("total_cost", "input_cost", "output_cost")),
    ),
    prefixes=(Prefix("mlflow.traceTag.", "metadata", 90),),
    content=(
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "mlflow.chat.messages",
        "mlflow.chat.tools",
        "mlflow.spanFunctionArguments",
    ),
    content_events=("mlflow.chunk.item.0",),
)

DIALECTS = (MLFLOW,)
