"""smolagents under OpenInference's instrumentation."""

import app
from openinference.instrumentation import using_attributes
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from smolagents import OpenAIServerModel, Tool, ToolCallingAgent

PROVIDER = app.provider()
SmolagentsInstrumentor().instrument(tracer_provider=PROVIDER)


class Weather(Tool):
    name = "weather"
    description = "Today's weather."
    inputs = {}  # noqa: RUF012 (the base class wants a plain attribute)
    output_type = "string"

    def forward(self) -> str:
        return "sunny"


def work(model: str = "gpt-4o", **options: object) -> None:
    llm = OpenAIServerModel(
        model_id=model, api_base=app.OPENAI_URL, api_key="none", client_kwargs={"max_retries": 0}, retry=False
    )
    agent = ToolCallingAgent(tools=[Weather()], model=llm, max_steps=1, verbosity_level=0, **options)
    try:
        agent.run(app.OTHER)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


def user_session() -> None:
    with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
        work()


app.run(
    {
        "agent": work,
        "stream": lambda: work(stream_outputs=True),
        "user_session": user_session,
        "error_429": lambda: work(app.LIMITED),
    }
)
