"""Microsoft Agent Framework with its own instrumentation."""

import app
import openai
from agent_framework import Agent, tool
from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

PROVIDER = app.provider()
enable_instrumentation()
client = openai.AsyncOpenAI(base_url=app.OPENAI_URL, api_key="none", max_retries=0)


@tool(approval_mode="never_require")
def weather() -> str:
    """Today's weather."""
    return "sunny"


def agent(name: str = "gpt-4o", completions: bool = True, **options: object) -> Agent:
    kind = OpenAIChatCompletionClient if completions else OpenAIChatClient
    return Agent(client=kind(model=name, async_client=client), name="forecaster", **options)


async def chat() -> None:
    await agent("gpt-4o-mini").run(app.SHORT)


async def cached() -> None:
    await agent("o4-mini").run(app.LONG)


async def chat_stream() -> None:
    async for _update in agent("gpt-4o-mini").run(app.SHORT, stream=True):
        pass


async def two_steps() -> None:
    await agent(tools=[weather]).run(app.OTHER)


async def responses() -> None:
    await agent(completions=False).run(app.SHORT)


async def error_429() -> None:
    try:
        await agent(app.LIMITED).run(app.SHORT)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run({each.__name__: each for each in (chat, cached, chat_stream, two_steps, responses, error_429)})
