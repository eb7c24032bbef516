"""Semantic Kernel with its own diagnostics."""

import app
import openai
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion,
    OpenAIChatPromptExecutionSettings,
)
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function

PROVIDER = app.provider()
client = openai.AsyncOpenAI(base_url=app.OPENAI_URL, api_key="none", max_retries=0)


class Weather:
    @kernel_function
    def weather(self) -> str:
        """Today's weather."""
        return "sunny"


def history(text: str) -> ChatHistory:
    made = ChatHistory()
    made.add_user_message(text)
    return made


async def ask(text: str, name: str = "gpt-4o-mini") -> None:
    service = OpenAIChatCompletion(ai_model_id=name, async_client=client)
    await service.get_chat_message_contents(history(text), OpenAIChatPromptExecutionSettings())


async def chat_stream() -> None:
    service = OpenAIChatCompletion(ai_model_id="gpt-4o-mini", async_client=client)
    async for _part in service.get_streaming_chat_message_contents(history(app.SHORT), OpenAIChatPromptExecutionSettings()):
        pass


async def tool() -> None:
    kernel = Kernel()
    kernel.add_plugin(Weather(), "weather")
    service = OpenAIChatCompletion(ai_model_id="gpt-4o", async_client=client)
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    await service.get_chat_message_contents(history(app.OTHER), settings, kernel=kernel)


async def agent() -> None:
    service = OpenAIChatCompletion(ai_model_id="gpt-4o", async_client=client)
    await ChatCompletionAgent(service=service, name="forecaster", plugins=[Weather()]).get_response(messages=app.OTHER)


async def error_429() -> None:
    try:
        await ask(app.SHORT, app.LIMITED)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run(
    {
        "chat": lambda: ask(app.SHORT),
        "cached": lambda: ask(app.LONG, "o4-mini"),
        **{each.__name__: each for each in (chat_stream, tool, agent, error_429)},
    }
)
