"""LlamaIndex with OpenInference's instrumentation."""

import app
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

PROVIDER = app.provider()
LlamaIndexInstrumentor().instrument(tracer_provider=PROVIDER)


def model(name: str = "gpt-4o-mini") -> OpenAI:
    return OpenAI(model=name, api_base=app.OPENAI_URL, api_key="none", max_retries=0)


def weather() -> str:
    """Today's weather."""
    return "sunny"


def chat() -> None:
    model().complete(app.SHORT)


def chat_stream() -> None:
    options = {"stream_options": {"include_usage": True}}
    for _part in model().stream_complete(app.SHORT, **options):
        pass


def cached() -> None:
    model("o4-mini").complete(app.LONG)


def rag() -> None:
    Settings.llm = model()
    Settings.embed_model = OpenAIEmbedding(api_base=app.OPENAI_URL, api_key="none", max_retries=0)
    with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
        VectorStoreIndex.from_documents([Document(text=app.OTHER)]).as_query_engine().query(app.SHORT)


async def agent() -> None:
    await FunctionAgent(name="forecaster", tools=[weather], llm=model("gpt-4o"), streaming=False).run(app.OTHER)


async def agent_stream() -> None:
    await FunctionAgent(name="forecaster", tools=[weather], llm=model("gpt-4o")).run(app.OTHER)


def error_429() -> None:
    try:
        model("ft:gpt-4o:rate-limited").complete(app.SHORT)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run({each.__name__: each for each in (chat, chat_stream, cached, rag, agent, agent_stream, error_429)})
