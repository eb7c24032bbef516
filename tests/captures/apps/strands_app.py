"""Strands Agents with its own telemetry: an agent with a tool, two turns, and a failing model."""

import app
from strands import Agent, tool
from strands.models.openai import OpenAIModel

PROVIDER = app.provider()


def model(name: str) -> OpenAIModel:
    return OpenAIModel(client_args={"base_url": app.OPENAI_URL, "api_key": "none", "max_retries": 0}, model_id=name)


@tool
def weather() -> str:
    """Today's weather."""
    return "sunny"


def agent(name: str = "gpt-4o", **options: object) -> Agent:
    return Agent(model=model(name), callback_handler=None, name="forecaster", **options)


def chat() -> None:
    agent("gpt-4o-mini")(app.SHORT)


def cached() -> None:
    agent("o4-mini")(app.LONG)


def two_turns() -> None:
    forecaster = agent(tools=[weather])
    forecaster(app.SHORT)
    forecaster(app.OTHER)


def user_session() -> None:
    attributes = {"user.id": app.USER, "session.id": app.SESSION, "tag.tags": app.TAGS}
    agent(tools=[weather], trace_attributes=attributes)(app.SHORT)


def error_429() -> None:
    try:
        agent(app.LIMITED, retry_strategy=None)(app.SHORT)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run({each.__name__: each for each in (chat, cached, two_turns, user_session, error_429)})
