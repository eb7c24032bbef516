"""DSPy under OpenInference's instrumentation."""

import app
import dspy
from openinference.instrumentation import using_attributes
from openinference.instrumentation.dspy import DSPyInstrumentor

PROVIDER = app.provider()
DSPyInstrumentor().instrument(tracer_provider=PROVIDER)


def ask(text: str, model: str = "gpt-4o-mini", **options: object) -> None:
    lm = dspy.LM("openai/" + model, api_base=app.OPENAI_URL, api_key="none", cache=False, num_retries=0, **options)
    with dspy.context(lm=lm):
        try:
            dspy.Predict("question -> answer")(question=text)
        except Exception as error:  # the model's answer is in no format of its
            print(type(error))


def user_session() -> None:
    with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
        ask(app.SHORT)


app.run(
    {
        "predict": lambda: ask(app.SHORT),
        "user_session": user_session,
        "error_429": lambda: ask(app.SHORT, app.LIMITED),
    }
)
