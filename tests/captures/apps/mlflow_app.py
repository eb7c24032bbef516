"""MLflow autolog of the OpenAI and Anthropic clients; MLflow itself exports OTLP."""

import app
import mlflow
import mlflow.anthropic
import mlflow.openai
import openai_calls

mlflow.openai.autolog()
mlflow.anthropic.autolog()
app.FLUSH.append(mlflow.flush_trace_async_logging)


@mlflow.trace(span_type="TOOL")
def weather() -> str:
    return "sunny"


@mlflow.trace(span_type="AGENT")
def tool() -> None:
    openai_calls.tool(weather)


@mlflow.trace(span_type="CHAIN")
def user_session() -> None:
    mlflow.update_current_trace(
        metadata={"mlflow.trace.user": app.USER, "mlflow.trace.session": app.SESSION}, tags=dict.fromkeys(app.TAGS, "yes")
    )
    openai_calls.chat()


app.run({**openai_calls.SCENARIOS, "tool": tool, "user_session": user_session, "chat_semconv": openai_calls.chat})
