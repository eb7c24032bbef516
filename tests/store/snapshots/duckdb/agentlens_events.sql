SELECT count(*) AS count_1
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.end_ns >= $2
  AND spans.end_ns <= $3
  AND spans.start_ns <= $4
  AND spans.role IN ($6)
LIMIT $5
;

SELECT spans.trace_id,
  spans.span_id,
  spans.name,
  spans.role,
  spans.start_ns,
  spans.end_ns,
  spans.provider,
  spans.input_tokens,
  spans.output_tokens,
  spans.total_tokens,
  spans.cache_read_tokens,
  spans.cache_write_tokens,
  spans.reasoning_tokens,
  spans.ttft_ns,
  spans.error,
  spans.error_type,
  spans.finish_reasons,
  spans.user_id,
  spans.session_id,
  coalesce(spans.response_model, spans.request_model) AS model_label,
  coalesce(spans.cost_reported, spans.cost_computed) AS call_cost,
  coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, spans.service_name) AS agent_label
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.end_ns >= $2
  AND spans.end_ns <= $3
  AND spans.start_ns <= $4
  AND spans.role IN ($7)
ORDER BY spans.end_ns ASC,
  spans.trace_id ASC,
  spans.span_id ASC
LIMIT $5 OFFSET $6
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN (… 6 parameters)
LIMIT $2
;

SELECT trace_values.of_trace,
  trace_values.trace_user_id,
  trace_values.trace_session_id
FROM (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND spans_1.start_ns >= $2
      AND spans_1.start_ns <= $3
      AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (… 6 parameters)
    GROUP BY spans_1.trace_id) AS trace_values
LIMIT $4
;
