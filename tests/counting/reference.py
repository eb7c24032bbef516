"""The counting rules once more, as plainly as they can be written: every pair is looked at, nothing is fast.

Shares no code with the product. ``judge`` gives (counted, key of the counted record or None, donors) for every call.
"""

from otel_llm.spans import SlimSpan, SpanKey

SECOND = 10**9
Verdict = tuple[bool, SpanKey | None, frozenset[SpanKey]]


def judge(spans: list[SlimSpan]) -> dict[SpanKey, Verdict]:
    by_key = {span.key: span for span in spans}
    calls = {key: span for key, span in by_key.items() if span.role in ("generation", "embedding")}
    above = {key: _ancestors(span, by_key) for key, span in by_key.items()}
    beats = _same_trace(calls, above, by_key)
    final = {key: _follow(key, beats) for key in calls}
    left = [key for key in calls if final[key] == key]
    answered = {key: _effective_response(key, calls, final) for key in left}
    beats.update(_between_traces(left, calls, answered))
    final = {key: _follow(key, beats) for key in calls}
    donors = {key: frozenset(other for other in calls if other != key and final[other] == key) for key in calls}
    return {key: (True, None, donors[key]) if final[key] == key else (False, final[key], frozenset()) for key in calls}


def usage(span: SlimSpan) -> bool:
    return not (span.input_tokens is None and span.output_tokens is None)


def tokens(span: SlimSpan) -> int:
    return (span.input_tokens or 0) + (span.output_tokens or 0)


def _follow(key: SpanKey, beats: dict[SpanKey, SpanKey]) -> SpanKey:
    steps = 0
    while key in beats:
        key = beats[key]
        steps += 1
        assert steps <= len(beats), "winners go round in a circle"
    return key


def _ancestors(span: SlimSpan, by_key: dict[SpanKey, SlimSpan]) -> list[SpanKey]:
    """Nearest first. A span whose parents lead back to it has none."""

    def parent(of: SlimSpan) -> SlimSpan | None:
        return None if of.parent_span_id is None else by_key.get((of.project, of.trace_id, of.parent_span_id))

    def circular(of: SlimSpan) -> bool:
        at, seen = parent(of), set()
        while at is not None and at.key not in seen:
            if at.key == of.key:
                return True
            seen.add(at.key)
            at = parent(at)
        return False

    found: list[SpanKey] = []
    while not circular(span):
        up = parent(span)
        if up is None:
            break
        found.append(up.key)
        span = up
    return found


def _same_trace(
    calls: dict[SpanKey, SlimSpan], above: dict[SpanKey, list[SpanKey]], by_key: dict[SpanKey, SlimSpan]
) -> dict[SpanKey, SpanKey]:
    beats: dict[SpanKey, SpanKey] = {}
    # server mirrors
    servers = {
        key
        for key, span in calls.items()
        if span.kind == 2 or (span.scope_name or "").startswith(("vllm", "com.anthropic.claude-platform"))
    }
    for key in servers:
        clients = [
            up
            for up in above[key]
            if up in calls and up not in servers and calls[up].kind == 3 and calls[up].role == calls[key].role
        ]
        if clients:
            beats[key] = clients[0]
    mirrors = set(beats)
    # equal response ids
    for key, span in calls.items():
        group = [
            other
            for other, there in calls.items()
            if other not in mirrors
            and other[:2] == key[:2]
            and there.role == span.role
            and there.response_id == span.response_id is not None
        ]
        if key in group:
            best = min(
                group, key=lambda k: (not usage(calls[k]), -len(above[k]), {3: 0, 1: 1, 2: 3}.get(calls[k].kind, 2), k[2])
            )
            if best != key:
                beats[key] = best
    # nesting
    pairs = [
        (outer, inner)
        for inner in calls
        for outer in above[inner]
        if outer in calls and not {outer, inner} & mirrors and _one_call(outer, inner, calls, above, by_key)
    ]
    order = {key: tuple((by_key[k].start_ns, k[2]) for k in [*reversed(above[key]), key]) for key in calls}
    for key, span in calls.items():
        if key in beats:
            continue
        inner = sorted((i for o, i in pairs if o == key), key=lambda k: order[k])
        outer = sorted((o for o, i in pairs if i == key and usage(calls[o])), key=lambda k: -len(above[k]))
        with_usage = [k for k in inner if usage(calls[k])]
        candidates = with_usage if usage(span) else with_usage or outer or inner
        if candidates:
            beats[key] = candidates[0]
    return beats


def _one_call(
    outer: SpanKey,
    inner: SpanKey,
    calls: dict[SpanKey, SlimSpan],
    above: dict[SpanKey, list[SpanKey]],
    by_key: dict[SpanKey, SlimSpan],
) -> bool:
    a, b = calls[outer], calls[inner]
    if a.role != b.role:
        return False
    if a.response_id is not None and b.response_id is not None and a.response_id != b.response_id:
        return False
    between = above[inner][: above[inner].index(outer)]
    return not (any(by_key[k].role in ("agent", "tool") for k in between) and tokens(a) != tokens(b))


def _effective_response(key: SpanKey, calls: dict[SpanKey, SlimSpan], final: dict[SpanKey, SpanKey]) -> str | None:
    mine = calls[key]
    donors = sorted(
        (other for other in calls if other != key and final[other] == key),
        key=lambda k: (abs(calls[k].start_ns - mine.start_ns) + abs(calls[k].end_ns - mine.end_ns), k),
    )
    return next((calls[k].response_id for k in [key, *donors] if calls[k].response_id is not None), None)


def _between_traces(
    left: list[SpanKey], calls: dict[SpanKey, SlimSpan], answered: dict[SpanKey, str | None]
) -> dict[SpanKey, SpanKey]:
    def duration(key: SpanKey) -> tuple[object, ...]:
        span = calls[key]
        return span.end_ns - span.start_ns, {3: 0, 1: 1, 2: 3}.get(span.kind, 2), span.trace_id, span.span_id

    def contains(outer: SlimSpan, inner: SlimSpan) -> bool:
        return outer.start_ns - SECOND <= inner.start_ns and inner.end_ns <= outer.end_ns + SECOND

    beats: dict[SpanKey, SpanKey] = {}
    for key in left:
        span = calls[key]
        related = [
            other
            for other in left
            if other != key
            and other[0] == key[0]
            and calls[other].role == span.role
            and answered[other] == answered[key] is not None
            and (contains(span, calls[other]) or contains(calls[other], span))
        ]
        if span.kind == 0 and any(
            answered[o] == answered[key] and calls[o].kind != 0 and (o[0], calls[o].role) == (key[0], span.role) for o in left
        ):
            # read from a log record, beside spans: it gives way to the shortest span it was logged in, else it stays
            logged_in = [k for k in related if calls[k].kind != 0 and contains(calls[k], span)]
            if logged_in:
                beats[key] = min(logged_in, key=duration)
            continue
        if span.kind != 0:
            related = [k for k in related if calls[k].kind != 0]
        inside = [k for k in related if duration(k) < duration(key) and usage(calls[k])]
        around = [k for k in related if duration(k) > duration(key)]
        if inside:
            beats[key] = min(inside, key=lambda k: (calls[k].end_ns, duration(k)))
        elif around and not usage(span):
            some = [k for k in around if usage(calls[k])] or around
            beats[key] = min(some, key=lambda k: (-calls[k].end_ns, duration(k)))
    return beats
