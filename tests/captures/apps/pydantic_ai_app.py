"""Pydantic AI on the providers that the first captures lack."""

import os

import app
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

PROVIDER = app.provider()
Agent.instrument_all(InstrumentationSettings(tracer_provider=PROVIDER))
os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_REGION="us-east-1")


def weather() -> str:
    """Today's weather."""
    return "sunny"


def google(name: str = "gemini-2.5-flash") -> object:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(name, provider=GoogleProvider(api_key="none", base_url=app.MODEL_URL))


def bedrock() -> object:
    import boto3
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.providers.bedrock import BedrockProvider

    client = boto3.client("bedrock-runtime", endpoint_url=app.MODEL_URL, region_name="us-east-1")
    return BedrockConverseModel("us.anthropic.claude-haiku-4-5-20251001-v1:0", provider=BedrockProvider(bedrock_client=client))


def mistral() -> object:
    from pydantic_ai.models.mistral import MistralModel
    from pydantic_ai.providers.mistral import MistralProvider

    return MistralModel("mistral-small-latest", provider=MistralProvider(api_key="none", base_url=app.MODEL_URL))


def groq() -> object:
    from pydantic_ai.models.groq import GroqModel
    from pydantic_ai.providers.groq import GroqProvider

    return GroqModel("llama-3.3-70b-versatile", provider=GroqProvider(api_key="none", base_url=app.MODEL_URL))


def responses() -> object:
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIResponsesModel("o4-mini", provider=OpenAIProvider(base_url=app.OPENAI_URL, api_key="none"))


async def google_stream() -> None:
    async with Agent(google()).run_stream(app.SHORT) as result:
        await result.get_output()


app.run(
    {
        "google_cached": lambda: Agent(google()).run_sync(app.LONG),
        "google_tool": lambda: Agent(google(), tools=[weather]).run_sync(app.OTHER),
        "google_stream": google_stream,
        "bedrock_cached": lambda: Agent(bedrock()).run_sync(app.LONG),
        "mistral": lambda: Agent(mistral()).run_sync(app.SHORT),
        "groq": lambda: Agent(groq()).run_sync(app.SHORT),
        "responses_cached": lambda: Agent(responses()).run_sync(app.LONG),
    }
)
