"""LangChain and LangGraph with OpenLLMetry's LangChain instrumentation above the official one of the OpenAI client."""

import app
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.prebuilt import create_react_agent
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.langchain import LangchainInstrumentor

PROVIDER = app.provider()
LangchainInstrumentor().instrument()
OpenAIInstrumentor().instrument()


@tool
def weather() -> str:
    """Today's weather."""
    return "sunny"


def model(name: str = "gpt-4o-mini", **options: object) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=app.OPENAI_URL, api_key="none", max_retries=0, **options)


def chain() -> None:
    (ChatPromptTemplate.from_template("{text}") | model()).invoke({"text": app.SHORT})


def cached() -> None:
    model("o4-mini").invoke(app.LONG)


def stream() -> None:
    for _chunk in model(stream_usage=True).stream(app.SHORT):
        pass


def langgraph_agent() -> None:
    config = {"metadata": {"user_id": app.USER, "session_id": app.SESSION}, "tags": app.TAGS}
    agent = create_react_agent(model("gpt-4o"), [weather])
    agent.invoke({"messages": [("user", app.OTHER)]}, config=config)


def embeddings() -> None:
    OpenAIEmbeddings(
        model="text-embedding-3-small", base_url=app.OPENAI_URL, api_key="none", check_embedding_ctx_length=False
    ).embed_documents([app.SHORT, app.OTHER])


def error_429() -> None:
    try:
        model(app.LIMITED).invoke(app.SHORT)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run({each.__name__: each for each in (chain, cached, stream, langgraph_agent, embeddings, error_429)})
