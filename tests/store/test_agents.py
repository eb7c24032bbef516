"""The agent of a call is the nearest one it is nested in, on every engine."""

from otel_llm.store.engines.base import Engine
from otel_llm.store.queries.call_pages import call_page
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.slices import Slice
from otel_llm.store.queries.top import top

from .rows import span
from .test_resolution import commit

AGENT = {"role": "agent", "operation": "invoke_agent", "input_tokens": None, "output_tokens": None}
STEP = {"role": "other", "operation": None, "input_tokens": None, "output_tokens": None}


def agents(engine: Engine) -> dict[int, str | None]:
    """Span id to agent, as the list of calls shows it."""
    with reading(engine, 30) as reader:
        page = call_page(reader, "default", Slice())
    return {int.from_bytes(one.span_id, "big"): one.agent for one in page.calls}


def counted(engine: Engine, **filters: list[str]) -> dict[str | None, int]:
    """Agent to number of calls, as the tables of groups show it."""
    with reading(engine, 30) as reader:
        found = top(reader, "default", Slice(values=filters), ["agent"], ["calls"], sort="calls", descending=True, limit=9)
    return {row.values[0]: int(row.figures["calls"] or 0) for row in found.rows}


def test_a_call_belongs_to_the_nearest_agent_above_it(engine: Engine) -> None:
    commit(
        engine,
        span(1, 1, agent_name="orchestrator", **AGENT),
        span(1, 2, 1),
        span(1, 3, 1, agent_name="researcher", **AGENT),
        span(1, 4, 3, **STEP),
        span(1, 5, 4),
        span(1, 6, 3, agent_name="named by the call"),
        span(1, 7, 99),  # its parent is not stored: the trace's agent is the best guess
        span(2, 21, agent_name="alone", **AGENT),
        span(2, 22, 21),
        span(3, 31),
    )
    assert agents(engine) == {
        2: "orchestrator",
        5: "researcher",
        6: "named by the call",
        7: "orchestrator",
        22: "alone",
        31: None,
    }
    assert counted(engine) == {"orchestrator": 2, "researcher": 1, "named by the call": 1, "alone": 1, None: 1}
    assert counted(engine, agent=["researcher"]) == {"researcher": 1}


def test_spans_that_are_each_others_parents_come_to_an_end(engine: Engine) -> None:
    commit(
        engine,
        span(1, 1, agent_name="a", **AGENT),
        span(1, 2, 1, agent_name="b", **AGENT),
        span(1, 3, 4),
        span(1, 4, 3, **STEP),
        span(1, 5, 5),
    )
    assert agents(engine) == {3: "a", 5: "a"}
    assert counted(engine) == {"a": 2}
