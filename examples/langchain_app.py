"""A LangChain app: a prompt, a model, and a tool the model may call.

    python examples/langchain_app.py --model-url http://127.0.0.1:8089

LangChain and the OpenAI client below it are both instrumented: whichever of them records a call, it is counted once.
"""

import argparse

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import otel_llm


@tool
def get_weather() -> str:
    """The weather of today."""
    return "sunny all day"


def main() -> None:
    parser = argparse.ArgumentParser(description="A chain, a tool and a stream.")
    parser.add_argument("--model-url", help="base URL of an OpenAI-compatible server (default: OpenAI)")
    parser.add_argument("--endpoint", help="OTLP endpoint of the collector (default: http://localhost:4318)")
    options = parser.parse_args()

    otel_llm.configure(service_name="langchain-app", endpoint=options.endpoint, instrument=["langchain", "openai"])
    where = {"base_url": f"{options.model_url}/v1", "api_key": "none"} if options.model_url else {}
    model = ChatOpenAI(model="gpt-4o-mini", max_tokens=15, max_retries=0, **where)

    with otel_llm.context(user="ben", session="chat-2"):
        chain = ChatPromptTemplate.from_template("Tell me about {animal}") | model
        print(chain.invoke({"animal": "foxes"}).text)
        print("".join(chunk.text for chunk in model.stream("And about dogs", stream_usage=True)))
        with_tools = model.bind_tools([get_weather])
        question = HumanMessage("How is the weather")
        wish = with_tools.invoke([question])
        results = [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in wish.tool_calls]
        print(with_tools.invoke([question, wish, *results]).text)
    otel_llm.shutdown()


if __name__ == "__main__":
    main()
