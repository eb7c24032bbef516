"""Logfire's instrumentations of the OpenAI and Anthropic clients."""

import app
import logfire
import openai_calls

logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
logfire.instrument_openai()
logfire.instrument_anthropic()


def user_session() -> None:
    with logfire.span("session", _tags=app.TAGS), logfire.set_baggage(**{"user.id": app.USER, "session.id": app.SESSION}):
        openai_calls.chat()


app.run({**openai_calls.SCENARIOS, "user_session": user_session})
