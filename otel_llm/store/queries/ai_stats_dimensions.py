"""The dimensions of Flashback's rows, as expressions over a span."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.conventions.providers import normalised
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column, Columns


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


def expressions(project: str, user_id: Column, session_id: Column, of: Columns = SPAN) -> dict[str, Column]:
    """The expression of every field of :class:`Grain`. User and session are given with what the trace says of them."""
    return {
        "repo_id": sa.func.coalesce(of.repo_id, _service(of), project),
        "ai_llm_id": sa.func.coalesce(of.ai_llm_id, _endpoint(of), ""),
        "api_key_id": sa.func.coalesce(of.api_key_id, of.key_id, ""),
        "llm_type": sa.case(
            *((of.provider == provider, name) for provider, name in LLM_TYPES.items()),
            (of.provider.startswith(_GOOGLE), "google"),
            else_=sa.func.coalesce(of.provider, ""),
        ),
        "llm_model": sa.func.coalesce(call.model(of), ""),
        "host": sa.func.coalesce(of.server_address, ""),
        "user_id": sa.func.coalesce(user_id, ""),
        "session_id": sa.func.coalesce(session_id, ""),
    }


def _service(of: Columns) -> Column:
    """``namespace/name``, or the one that exists."""
    return _joined(of.service_namespace, "/", of.service_name)


def _endpoint(of: Columns) -> Column:
    """``provider:host:port``, of those that exist; a port alone says nothing."""
    port = sa.case((of.server_address.is_not(None), sa.cast(of.server_port, sa.Text())))
    return _joined(of.provider, ":", _joined(of.server_address, ":", port))


def _joined(first: Column, separator: str, second: Column) -> Column:
    both = sa.func.concat(first, sa.literal_column(f"'{separator}'"), second, type_=sa.Text())
    return sa.case((sa.and_(first.is_not(None), second.is_not(None)), both), else_=sa.func.coalesce(first, second))
