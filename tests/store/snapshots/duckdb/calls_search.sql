SELECT spans.trace_id,
  spans.span_id,
  spans.name,
  spans.role,
  spans.start_ns,
  spans.end_ns,
  spans.provider,
  spans.input_tokens,
  spans.output_tokens,
  spans.cache_read_tokens,
  spans.reasoning_tokens,
  spans.ttft_ns,
  spans.is_streaming,
  spans.error,
  spans.error_type,
  spans.service_name,
  spans.environment,
  spans.scope_name,
  spans.reason,
  spans.user_id,
  spans.session_id,
  spans.agent_name,
  spans.agent_id,
  spans.agentlens_agent_id,
  coalesce(spans.response_model, spans.request_model) AS model_label,
  coalesce(spans.cost_reported, spans.cost_computed) AS call_cost,
  coalesce(coalesce(spans.cost_reported, spans.cost_computed), -1.0) AS order_key
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
ORDER BY coalesce(coalesce(spans.cost_reported, spans.cost_computed), -1.0) DESC,
  spans.start_ns DESC,
  spans.trace_id DESC,
  spans.span_id DESC
LIMIT $4 OFFSET $5
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN (… 37 parameters)
LIMIT $2
;

SELECT trace_values.of_trace,
  trace_values.trace_agent_name,
  trace_values.trace_session_id,
  trace_values.trace_user_id
FROM (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.agent_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.agent_name IS NOT NULL) AS trace_agent_name,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND spans_1.start_ns >= $2
      AND spans_1.start_ns <= $3
      AND (spans_1.agent_name IS NOT NULL OR spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (… 37 parameters)
    GROUP BY spans_1.trace_id) AS trace_values
LIMIT $4
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN (… 30 parameters)
LIMIT $2
;

WITH RECURSIVE kin AS (
    SELECT spans_1.trace_id AS trace_id,
      spans_1.span_id AS span_id,
      spans_1.parent_span_id AS parent_span_id,
      spans_1.agent_name AS agent_name,
      spans_1.counted = true AS is_call
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND spans_1.start_ns >= $2
      AND spans_1.start_ns <= $3
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $4
          AND spans_2.agent_name IS NOT NULL
          AND spans_2.start_ns >= $5
          AND spans_2.start_ns <= $6
          AND spans_2.trace_id IN (… 30 parameters)
        GROUP BY spans_2.trace_id
        HAVING min(spans_2.agent_name) != max(spans_2.agent_name))),
  below(of_trace, of_span, above, agent, depth) AS (
    SELECT kin.trace_id AS of_trace,
      kin.span_id AS of_span,
      kin.parent_span_id AS above,
      kin.agent_name AS agent,
      CAST(0 AS BIGINT) AS depth
    FROM kin
    WHERE kin.is_call
      AND kin.agent_name IS NULL
      AND kin.parent_span_id IS NOT NULL
    UNION ALL
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      parent.parent_span_id AS parent_span_id,
      parent.agent_name AS agent_name,
      below.depth + $7 AS anon_1
    FROM below
    JOIN kin AS parent ON parent.trace_id = below.of_trace
      AND parent.span_id = below.above
    WHERE below.agent IS NULL
      AND below.depth < $8)
SELECT nearest_agents.of_trace,
  nearest_agents.of_span,
  nearest_agents.nearest_agent
FROM (
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      max(below.agent) AS nearest_agent
    FROM below
    WHERE below.agent IS NOT NULL
    GROUP BY below.of_trace,
      below.of_span) AS nearest_agents
LIMIT $9
;

SELECT count(*) AS count_1
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
LIMIT $4
;
