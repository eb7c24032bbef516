"""AutoGen AgentChat with its own telemetry."""

import app
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

PROVIDER = app.provider()


async def weather() -> str:
    """Today's weather."""
    return "sunny"


async def work(text: str, model: str = "gpt-4o", **options: object) -> None:
    client = OpenAIChatCompletionClient(model=model, base_url=app.OPENAI_URL, api_key="none", max_retries=0)
    agent = AssistantAgent("forecaster", model_client=client, **options)
    await agent.run(task=text)


app.run({"chat": lambda: work(app.SHORT), "tool": lambda: work(app.OTHER, tools=[weather])})
