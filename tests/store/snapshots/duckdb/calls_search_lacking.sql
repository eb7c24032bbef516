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
  CASE WHEN (spans.error = true) THEN $1 ELSE $2 END AS order_key
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $3
      AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $4
          AND spans_2.counted = true
          AND spans_2.start_ns >= $5
          AND spans_2.start_ns <= $6
          AND (spans_2.session_id IS NULL OR spans_2.user_id IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $7
  AND spans.counted = true
  AND spans.start_ns >= $8
  AND spans.start_ns <= $9
  AND (coalesce(spans.session_id, trace_values.trace_session_id) = $10 OR coalesce(spans.session_id, trace_values.trace_session_id) = $11)
  AND coalesce(spans.user_id, trace_values.trace_user_id) IS NULL
  AND spans.ttft_ns IS NULL
  AND (spans.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $12
          AND coalesce(list_contains(from_json(spans_3.tags, '["VARCHAR"]'), $13), false)) OR coalesce(json_extract_string(spans.request_tags, $14) = $15, false))
ORDER BY CASE WHEN (spans.error = true) THEN $1 ELSE $2 END DESC,
  spans.start_ns DESC,
  spans.trace_id DESC,
  spans.span_id DESC
LIMIT $16 OFFSET $17
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN ($3, $4)
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
      AND spans_1.trace_id IN ($5, $6)
    GROUP BY spans_1.trace_id) AS trace_values
LIMIT $4
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN ($3)
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
          AND spans_2.trace_id IN ($10)
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
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $2
          AND spans_2.counted = true
          AND spans_2.start_ns >= $3
          AND spans_2.start_ns <= $4
          AND (spans_2.session_id IS NULL OR spans_2.user_id IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $5
  AND spans.counted = true
  AND spans.start_ns >= $6
  AND spans.start_ns <= $7
  AND (coalesce(spans.session_id, trace_values.trace_session_id) = $8 OR coalesce(spans.session_id, trace_values.trace_session_id) = $9)
  AND coalesce(spans.user_id, trace_values.trace_user_id) IS NULL
  AND spans.ttft_ns IS NULL
  AND (spans.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $10
          AND coalesce(list_contains(from_json(spans_3.tags, '["VARCHAR"]'), $11), false)) OR coalesce(json_extract_string(spans.request_tags, $12) = $13, false))
LIMIT $14
;
