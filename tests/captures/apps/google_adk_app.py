"""Google ADK: an agent with a tool, on Gemini; the google-genai instrumentation is on in the scenarios named ``*_both``."""

import asyncio
import os

import app

PROVIDER = app.provider()
if app.sys.argv[1].endswith("_both"):
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    GoogleGenAiSdkInstrumentor().instrument()

from google.adk.agents import Agent  # noqa: E402  (after the instrumentation)
from google.adk.agents.run_config import RunConfig, StreamingMode  # noqa: E402
from google.adk.models import Gemini  # noqa: E402
from google.adk.runners import InMemoryRunner  # noqa: E402
from google.genai import types  # noqa: E402

os.environ["GOOGLE_API_KEY"] = "none"


def weather() -> str:
    """Today's weather."""
    return "sunny"


async def ask(text: str, model: str = "gemini-2.5-flash", stream: bool = False, **options: object) -> None:
    agent = Agent(model=Gemini(model=model, base_url=app.MODEL_URL), name="forecaster", instruction="be brief", **options)
    runner = InMemoryRunner(agent=agent, app_name="weather-app")
    session = await runner.session_service.create_session(
        app_name="weather-app", user_id=app.USER or "user", session_id=app.SESSION
    )
    message = types.Content(role="user", parts=[types.Part(text=text)])
    config = RunConfig(streaming_mode=StreamingMode.SSE if stream else StreamingMode.NONE)
    async for _event in runner.run_async(
        user_id=session.user_id, session_id=session.id, new_message=message, run_config=config
    ):
        pass
    await asyncio.sleep(0)


async def failing() -> None:
    try:
        await ask(app.SHORT, "gemini-rate-limited")
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run(
    {
        "chat": lambda: ask(app.SHORT),
        "chat_stream": lambda: ask(app.SHORT, stream=True),
        "cached": lambda: ask(app.LONG),
        "tool": lambda: ask(app.OTHER, tools=[weather]),
        "tool_both": lambda: ask(app.OTHER, tools=[weather]),
        "v1_both": lambda: ask(app.OTHER, tools=[weather]),
        "stream_both": lambda: ask(app.SHORT, stream=True),
        "error_429": failing,
    }
)
