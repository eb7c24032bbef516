"""LangSmith's OpenTelemetry export: traced functions, the wrapped OpenAI client, LangChain."""

import contextlib

import app
import openai
from langsmith import Client, traceable, tracing_context
from langsmith.wrappers import wrap_anthropic, wrap_openai

PROVIDER = app.provider()
tracer = Client(api_key="none")
app.FLUSH.append(tracer.flush)
client = wrap_openai(openai.OpenAI(base_url=app.OPENAI_URL, api_key="none", max_retries=0))


def ask(text: str, model: str = "gpt-4o-mini", **options: object) -> object:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **options)


def chat_stream() -> None:
    for _chunk in ask(app.SHORT, stream=True, stream_options={"include_usage": True}):
        pass


def anthropic_cached() -> None:
    import anthropic

    claude = wrap_anthropic(anthropic.Anthropic(base_url=app.MODEL_URL, api_key="none", max_retries=0))
    claude.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=[{"role": "user", "content": app.LONG}])


@traceable(run_type="retriever")
def retrieve() -> list[str]:
    return ["a document"]


@traceable(run_type="chain")
def user_session() -> None:
    retrieve()
    ask(app.SHORT)


def error_429() -> None:
    with contextlib.suppress(openai.RateLimitError):
        ask(app.SHORT, app.LIMITED)


def langchain_model(name: str = "gpt-4o-mini", **options: object) -> object:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=name, base_url=app.OPENAI_URL, api_key="none", max_retries=0, **options)


def langchain_stream() -> None:
    for _chunk in langchain_model(stream_usage=True).stream(app.SHORT):
        pass


def langchain_anthropic() -> None:
    from langchain_anthropic import ChatAnthropic

    ChatAnthropic(model="claude-haiku-4-5", base_url=app.MODEL_URL, api_key="none", max_retries=0, max_tokens=10).invoke(
        app.LONG
    )


def langgraph_agent() -> None:
    from langchain_core.tools import tool
    from langgraph.prebuilt import create_react_agent

    @tool
    def weather() -> str:
        """Today's weather."""
        return "sunny"

    config = {"metadata": {"user_id": app.USER, "session_id": app.SESSION}, "tags": app.TAGS}
    create_react_agent(langchain_model("gpt-4o"), [weather]).invoke({"messages": [("user", app.OTHER)]}, config=config)


SCENARIOS = {
    "chat": lambda: ask(app.SHORT),
    "cached": lambda: ask(app.LONG, "o4-mini"),
    "responses": lambda: client.responses.create(model="gpt-4o", input=app.LONG),
    "langchain_cached": lambda: langchain_model("o4-mini").invoke(app.LONG),
    **{
        each.__name__: each
        for each in (
            chat_stream,
            anthropic_cached,
            user_session,
            error_429,
            langchain_stream,
            langchain_anthropic,
            langgraph_agent,
        )
    },
}
metadata = {"user_id": app.USER, "session_id": app.SESSION} if app.USER else {}
with tracing_context(enabled=True, client=tracer, metadata=metadata, tags=app.TAGS):
    app.run(SCENARIOS)
