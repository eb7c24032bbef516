SELECT count(*) AS count_1
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
LIMIT %(param_1)s::INTEGER
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
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
ORDER BY spans.end_ns DESC,
  spans.trace_id DESC,
  spans.span_id DESC
LIMIT %(param_1)s::INTEGER OFFSET %(param_2)s::INTEGER
;

SELECT trace_values.of_trace,
  trace_values.trace_user_id,
  trace_values.trace_session_id
FROM (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.session_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.session_id IS NOT NULL))[%(param_1)s::INTEGER] AS trace_session_id,
      (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_2)s::INTEGER] AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (%(trace_id_1_1)s, %(trace_id_1_2)s, %(trace_id_1_3)s)
    GROUP BY spans_1.trace_id) AS trace_values
LIMIT %(param_3)s::INTEGER
;
