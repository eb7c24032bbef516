"""Agno under OpenInference's instrumentation."""

import app
from agno.agent import Agent
from agno.models.openai import OpenAIChat
from openinference.instrumentation.agno import AgnoInstrumentor

PROVIDER = app.provider()
AgnoInstrumentor().instrument(tracer_provider=PROVIDER)


def weather() -> str:
    """Today's weather."""
    return "sunny"


def work(text: str, model: str = "gpt-4o", stream: bool = False, **options: object) -> None:
    llm = OpenAIChat(id=model, base_url=app.OPENAI_URL, api_key="none", max_retries=0)
    agent = Agent(model=llm, name="forecaster", telemetry=False, **options)
    result = agent.run(text, stream=stream, user_id=app.USER, session_id=app.SESSION)
    if stream:
        for _event in result:
            pass


def error_429() -> None:
    try:
        work(app.SHORT, app.LIMITED)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run(
    {
        "chat": lambda: work(app.SHORT),
        "cached": lambda: work(app.LONG, "o4-mini"),
        "stream": lambda: work(app.SHORT, stream=True),
        "tool": lambda: work(app.OTHER, tools=[weather]),
        "error_429": error_429,
    }
)
