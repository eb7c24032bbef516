"""OpenAI Agents SDK under the instrumentation that the environment names."""

import os

import app
import openai
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool

KIND = os.environ["INSTRUMENTATION"]
if KIND == "logfire":
    import logfire

    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    logfire.instrument_openai_agents()
else:
    PROVIDER = app.provider()
if KIND == "openinference":
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor().instrument(tracer_provider=PROVIDER)
elif KIND == "traceloop":
    from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor().instrument()
    if app.sys.argv[1].endswith("_both"):
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
elif KIND == "genai":
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor

    OpenAIInstrumentor().instrument()
    OpenAIAgentsInstrumentor().instrument()

client = openai.AsyncOpenAI(base_url=app.OPENAI_URL, api_key="none", max_retries=0)


@function_tool
def weather() -> str:
    """Today's weather."""
    return "sunny"


def agent(name: str = "gpt-4o", completions: bool = False, **options: object) -> Agent:
    kind = OpenAIChatCompletionsModel if completions else OpenAIResponsesModel
    return Agent(name="forecaster", model=kind(name, client), model_settings=ModelSettings(include_usage=True), **options)


async def chat() -> None:
    await Runner.run(agent(completions=True), app.SHORT)


async def cached() -> None:
    await Runner.run(agent("o4-mini"), app.LONG)


async def tool() -> None:
    await Runner.run(agent(tools=[weather]), app.OTHER)


async def stream() -> None:
    result = Runner.run_streamed(agent(), app.SHORT)
    async for _event in result.stream_events():
        pass


async def handoff() -> None:
    await Runner.run(agent(handoffs=[agent("gpt-4o-mini")]), app.OTHER)


async def user_session() -> None:
    if KIND == "openinference":
        with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
            await tool()
    else:
        await tool()


async def error_429() -> None:
    try:
        await Runner.run(agent(app.LIMITED), app.SHORT)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run(
    {each.__name__: each for each in (chat, cached, tool, stream, handoff, user_session, error_429)}
    | {"tool_both": tool, "chat_both": chat}
)
