"""What calls are grouped by."""

from collections.abc import Mapping

import sqlalchemy as sa

from otel_llm.conventions.providers import SPELLINGS
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, UNKNOWN, Column, Columns

_PREFIXED = tuple(f"{provider}/{spelling}" for provider, spellings in SPELLINGS.items() for spelling in spellings)
"""Every spelling of a provider, behind the provider."""


def provider(of: Columns = SPAN) -> Column:
    """The provider, "unknown" when there is none."""
    return sa.func.coalesce(of.provider, UNKNOWN)


def model(of: Columns = SPAN) -> Column:
    """The model as sent, "unknown" when there is none."""
    return sa.func.coalesce(call.model(of), UNKNOWN)


def model_name(of: Columns = SPAN) -> Column:
    """LangDB's model name: a prefix that names the call's own, not inferred, provider is left out."""
    sent = call.model(of)
    slash = sa.func.position(sa.literal_column("'/' ", sa.Text()).op("IN")(sent), type_=sa.Integer())
    prefix = sa.func.lower(sa.func.substr(sent, 1, slash - 1), type_=sa.Text())
    names_provider = sa.or_(
        prefix == sa.func.lower(of.provider),
        sa.func.concat(of.provider, sa.literal_column("'/'"), prefix, type_=sa.Text()).in_(_PREFIXED),
    )
    repeats_provider = sa.and_(
        slash < sa.func.length(sent),
        of.provider.is_not(None),
        sa.func.coalesce(of.provider_inferred, sa.false()) == sa.false(),
        names_provider,
    )
    rest = sa.func.substr(sent, slash + 1, type_=sa.Text())
    # One inside the other: most models have no slash, and then the dear part is never looked at.
    stripped = sa.case((slash > 1, sa.case((repeats_provider, rest), else_=sent)), else_=sent)
    return sa.func.coalesce(stripped, UNKNOWN)


def request_tag(functions: Functions, key: str, of: Columns = SPAN) -> Column:
    """The value of one request tag, '' when the call lacks it."""
    return sa.func.coalesce(functions.object_get(of.request_tags, key), "")


def request_tags(of: Columns = SPAN) -> Column:
    """All request tags as they are stored, '' when there are none."""
    return sa.func.coalesce(of.request_tags, "")


def nothing() -> Column:
    """The dimension that no call has a value for."""
    return sa.literal_column("''", sa.Text())


def renamed(column: Column, names: Mapping[str, str]) -> Column:
    """The column with some of its values replaced."""
    return sa.case(*((column == old, new) for old, new in names.items()), else_=column) if names else column
