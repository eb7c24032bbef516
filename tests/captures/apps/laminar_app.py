"""Laminar's SDK, which instruments the OpenAI and Anthropic clients."""

import os

import app
from lmnr import Laminar, observe

host, _, port = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://").partition(":")
Laminar.initialize(project_api_key="none", base_url="http://" + host, http_port=int(port), grpc_port=int(port), force_http=True)
app.FLUSH.append(Laminar.flush)
import openai_calls  # noqa: E402


@observe(user_id=app.USER, session_id=app.SESSION, tags=app.TAGS)
def user_session() -> None:
    openai_calls.chat()


app.run({**openai_calls.SCENARIOS, "user_session": user_session})
