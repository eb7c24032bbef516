"""The dimensions of Flashback's rows, as expressions over a span."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.conventions.providers import normalised
from otel_llm.store.queries.call import SPAN, Column


class Grain(NamedTuple):
    """Everything rows differ by, beside time; '' where a call has no value."""

    repo_id: str
    ai_llm_id: str
    api_key_id: str
    llm_type: str
    llm_model: str
    host: str
    user_id: str
    session_id: str


LLM_TYPES: Mapping[str, str] = {
    "azure.ai.openai": "openai",
    "azure.ai.inference": "openai",
    "aws.bedrock": "aws",
}
"""Provider to LLM type where they differ; every ``gcp.*`` is ``google``, everything else its own."""
_GOOGLE = "gcp."


def llm_type(text: str) -> str:
    """The LLM type that a filter value means, in whatever form and case it is given."""
    provider = normalised(text) or text.strip().lower()
    return "google" if provider.startswith(_GOOGLE) else LLM_TYPES.get(provider, provider)


STORED = (
    "repo_id",
    "service_namespace",
    "service_name",
    "ai_llm_id",
    "provider",
    "server_address",
    "server_port",
    "api_key_id",
    "key_id",
    "request_model",
    "response_model",
)
"""Columns that dimensions are made of, beside user and session."""


def expressions(project: str, user_id: Column, session_id: Column, of: Mapping[str, Column] | None = None) -> dict[str, Column]:
    """The expression of every field of :class:`Grain`, of the columns :data:`STORED` (default: those of spans). User and
    session are given with what the trace says of them."""
    of = of or {name: SPAN[name] for name in STORED}
    return {
        "repo_id": sa.func.coalesce(of["repo_id"], _joined(of["service_namespace"], "/", of["service_name"]), project),
        "ai_llm_id": sa.func.coalesce(of["ai_llm_id"], _endpoint(of), ""),
        "api_key_id": sa.func.coalesce(of["api_key_id"], of["key_id"], ""),
        "llm_type": sa.case(
            *((of["provider"] == provider, name) for provider, name in LLM_TYPES.items()),
            (of["provider"].startswith(_GOOGLE), "google"),
            else_=sa.func.coalesce(of["provider"], ""),
        ),
        "llm_model": sa.func.coalesce(of["response_model"], of["request_model"], ""),
        "host": sa.func.coalesce(of["server_address"], ""),
        "user_id": sa.func.coalesce(user_id, ""),
        "session_id": sa.func.coalesce(session_id, ""),
    }


def _endpoint(of: Mapping[str, Column]) -> Column:
    """``provider:host:port``, of those that exist; a port alone says nothing."""
    port = sa.case((of["server_address"].is_not(None), sa.cast(of["server_port"], sa.Text())))
    return _joined(of["provider"], ":", _joined(of["server_address"], ":", port))


def _joined(first: Column, separator: str, second: Column) -> Column:
    both = sa.func.concat(first, sa.literal_column(f"'{separator}'"), second, type_=sa.Text())
    return sa.case((sa.and_(first.is_not(None), second.is_not(None)), both), else_=sa.func.coalesce(first, second))
