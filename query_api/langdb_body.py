"""The JSON bodies of LangDB's endpoints: every key optional, unknown keys ignored, null and empty text mean absent."""

import time
from typing import Any, Literal, TypeVar

import msgspec
from flask import request

from otel_llm.store.queries.analytics import Group, Grouping
from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.window import Window
from query_api.errors import ApiError

DAY_US = 86_400_000_000
DEFAULT_RANGE_US = 30 * DAY_US
Unit = Literal["minute", "hour", "day", "month", ""]
Body = TypeVar("Body", bound="RangeBody")


class RangeBody(msgspec.Struct, kw_only=True):
    """Time range and user filters, which every endpoint takes."""

    start_time_us: int | None = None
    end_time_us: int | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_tags: list[str] | None = None

    def range_us(self) -> tuple[int, int]:
        """Start (inclusive) and end (exclusive) in us: the 30 days ending now, unless they are given."""
        end = time.time_ns() // 1_000 if self.end_time_us is None else self.end_time_us
        start = end - DEFAULT_RANGE_US if self.start_time_us is None else self.start_time_us
        if start > end:
            raise ApiError(400, "start_time_us must not be later than end_time_us", title="Invalid request")
        return start, end

    def filters(self) -> CallFilter:
        """The user filters."""
        return CallFilter(user_id=self.user_id or None, user_name=self.user_name or None, user_tags=tuple(self.user_tags or ()))


class UnitBody(RangeBody, kw_only=True):
    """With a bucket unit."""

    min_unit: Unit | None = None


class GroupBody(RangeBody, kw_only=True):
    """With groups."""

    groups: list[Group] | None = msgspec.field(default=None, name="groupBy")
    tag_keys: list[str] | None = None

    def grouping(self) -> Grouping:
        """The groups, in the order asked for."""
        return Grouping(tuple(self.groups or ()), tuple(self.tag_keys or ()))


class TimeseriesBody(GroupBody, kw_only=True):
    """With groups and a bucket unit."""

    min_unit: Unit | None = None


def read_body(kind: type[Body]) -> Body:
    """The request's body. Raises ApiError (400) when it is not JSON or has a value of the wrong type."""
    data = request.get_data(cache=False)
    if not data.strip():
        return kind()
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise ApiError(400, str(error), title="Invalid request") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, str(error), title="Invalid JSON") from None
    except RecursionError:
        raise ApiError(400, "The body is nested too deeply", title="Invalid JSON") from None


def window_of(range_us: tuple[int, int]) -> Window:
    """The window of a range in us whose end is exclusive."""
    start, end = range_us
    return Window.before(start * 1_000, end * 1_000)


def echo(range_us: tuple[int, int], names: tuple[str, str]) -> dict[str, Any]:
    """The range under the names an endpoint uses."""
    return dict(zip(names, range_us, strict=True))
