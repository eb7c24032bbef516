"""CrewAI under OpenInference's instrumentation."""

import os

import app
from openinference.instrumentation import using_attributes

PROVIDER = app.provider()
from openinference.instrumentation.crewai import CrewAIInstrumentor  # noqa: E402

CrewAIInstrumentor().instrument(tracer_provider=PROVIDER)
from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import tool  # noqa: E402

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false")


@tool
def weather() -> str:
    """Today's weather."""
    return "sunny"


def work(model: str = "gpt-4o", tools: tuple[object, ...] = (), **options: object) -> None:
    llm = LLM(model="openai/" + model, base_url=app.OPENAI_URL, api_key="none", max_retries=0, **options)
    agent = Agent(role="forecaster", goal="tell", backstory="old", llm=llm, tools=list(tools), max_retry_limit=0)
    task = Task(description=app.OTHER, expected_output="text", agent=agent)
    Crew(agents=[agent], tasks=[task]).kickoff()


def user_session() -> None:
    with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
        work(tools=(weather,))


def error_429() -> None:
    try:
        work(app.LIMITED)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run({"crew": work, "stream": lambda: work(stream=True), "user_session": user_session, "error_429": error_429})
