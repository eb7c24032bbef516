"""No line of code: ``opentelemetry-instrument`` with our exporter, and ``configure`` with what is installed."""

import sys
from pathlib import Path

from model_server import ModelServer

from tests.sdk.app_process import run_app
from tests.sdk.conftest import FIRST_TOKEN_S
from tests.sdk.recorder import Recorder

APP = """
import sys
import anthropic, openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="k")
messages = [{"role": "user", "content": "hello"}]
print(len(list(client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True))))
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="k")
print(len(list(client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=messages, stream=True))))
"""
CALL_SCOPES = ("opentelemetry.instrumentation.", "openinference.instrumentation.")


def test_an_app_without_a_line_of_ours_is_traced_with_first_tokens(
    sdk_model: ModelServer, recorder: Recorder, tmp_path: Path
) -> None:
    script = tmp_path / "app.py"
    script.write_text(APP)
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    app = run_app(
        "",
        arguments=(str(launcher), sys.executable, str(script), sdk_model.url),
        OTEL_TRACES_EXPORTER="otel_llm",
        OTEL_METRICS_EXPORTER="otel_llm",
        OTEL_LOGS_EXPORTER="otel_llm",
        OTEL_SERVICE_NAME="no-code",
        OTEL_LLM_ENDPOINT=recorder.http_url,
    )
    assert app.code == 0, app.log
    assert app.log == ""
    spans = [span for span in recorder.spans() if span["scope"].startswith(CALL_SCOPES)]
    assert {span["resource"]["service.name"] for span in spans} == {"no-code"}
    vendors = {span["scope"].removeprefix("opentelemetry.instrumentation.").split(".")[0] for span in spans}
    assert vendors == {"genai", "openai", "anthropic", "openinference"}  # all that are installed are loaded
    for span in spans:
        assert FIRST_TOKEN_S <= span["attributes"]["gen_ai.response.time_to_first_chunk"] <= span["seconds"], span["scope"]
    assert "Metrics" in {signal for signal, _, _ in recorder.requests}


def test_configure_instruments_each_client_once(sdk_model: ModelServer, recorder: Recorder) -> None:
    app = run_app(
        """
        import os, openai, otel_llm
        otel_llm.configure(service_name="one-line", environment="test", resource_attributes={"team": "a"})
        print("ready")
        client = openai.OpenAI(base_url=os.environ["MODEL_URL"] + "/v1", api_key="k")
        with otel_llm.context(user="u1", session="s1"):
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
        """,
        OTEL_LLM_ENDPOINT=recorder.http_url,
        MODEL_URL=sdk_model.url,
    )
    assert (app.code, app.log) == (0, "")
    (span,) = recorder.spans()
    assert span["scope"] == "opentelemetry.instrumentation.genai.openai"
    assert {"service.name": "one-line", "deployment.environment.name": "test", "team": "a"}.items() <= span["resource"].items()
    assert (span["attributes"]["user.id"], span["attributes"]["session.id"]) == ("u1", "s1")


def test_configure_keeps_the_provider_the_app_has(recorder: Recorder) -> None:
    app = run_app(
        """
        import otel_llm
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        mine = TracerProvider()
        trace.set_tracer_provider(mine)
        assert otel_llm.configure(instrument=False) is mine
        assert otel_llm.configure(instrument=False) is mine
        print("ready")
        with otel_llm.context(user="u1"):
            trace.get_tracer("t").start_span("s").end()
        """,
        OTEL_LLM_ENDPOINT=recorder.http_url,
    )
    assert app.code == 0, app.log
    assert app.log.count("was called again") == 1
    assert [span["attributes"]["user.id"] for span in recorder.spans()] == ["u1"]


def test_disabled_instrumentations_stay_off(sdk_model: ModelServer, recorder: Recorder) -> None:
    app = run_app(
        """
        import os, openai, otel_llm
        otel_llm.configure()
        print("ready")
        client = openai.OpenAI(base_url=os.environ["MODEL_URL"] + "/v1", api_key="k")
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
        """,
        OTEL_LLM_ENDPOINT=recorder.http_url,
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="openai",
        MODEL_URL=sdk_model.url,
    )
    assert app.code == 0, app.log
    assert list(recorder.spans()) == []
