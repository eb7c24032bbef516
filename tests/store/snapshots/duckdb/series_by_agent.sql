SELECT coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, trace_values.trace_agent_name)) AS d_0,
  count(*) AS m_calls
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.agent_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.agent_name IS NOT NULL) AS trace_agent_name,
      arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL) AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $2
          AND spans_2.counted = true
          AND spans_2.start_ns >= $3
          AND spans_2.start_ns <= $4
          AND (spans_2.agent_name IS NULL OR spans_2.trace_name IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $5
  AND spans.counted = true
  AND spans.start_ns >= $6
  AND spans.start_ns <= $7
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = $8
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT $9
;

SELECT spans.start_ns - mod(spans.start_ns + 7200000000000, 7200000000000) AS bucket_ns,
  CASE WHEN (coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, trace_values.trace_agent_name)) IN ($13, $14)) THEN coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, trace_values.trace_agent_name)) ELSE $1 END AS d_0,
  count(*) AS m_calls,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.9]), 1) AS m_tps_p90,
  coalesce(sum(spans.input_tokens), $2) + coalesce(sum(spans.output_tokens), $3) AS m_tokens
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.agent_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.agent_name IS NOT NULL) AS trace_agent_name,
      arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL) AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = $4
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $5
          AND spans_2.counted = true
          AND spans_2.start_ns >= $6
          AND spans_2.start_ns <= $7
          AND (spans_2.agent_name IS NULL OR spans_2.trace_name IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $8
  AND spans.counted = true
  AND spans.start_ns >= $9
  AND spans.start_ns <= $10
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = $11
GROUP BY 1,
  2
LIMIT $12
;
