WITH traces AS (
    SELECT spans_1.trace_id AS of_trace,
      min(spans_1.start_ns) AS trace_start
    FROM spans AS spans_1
    WHERE spans_1.project = $1
    GROUP BY spans_1.trace_id)
SELECT CAST((traces.trace_start // 1000000000) - ((traces.trace_start // 1000000000) % 86400) AS BIGINT) AS day_start,
  NULL AS anon_1,
  0 AS observation_count,
  count(*) AS trace_count,
  NULL AS anon__1,
  NULL AS anon__2,
  NULL AS anon__3,
  NULL AS anon__4
FROM traces
GROUP BY 1
LIMIT $2
;

SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 86400) AS BIGINT) AS day_start,
  CASE WHEN (spans.role IN ($5, $6)) THEN coalesce(spans.response_model, spans.request_model) END AS model_label,
  count(*) AS observation_count,
  count(DISTINCT spans.trace_id) AS trace_count,
  sum(CASE WHEN (spans.counted = true) THEN spans.input_tokens END) AS input_sum,
  sum(CASE WHEN (spans.counted = true) THEN spans.output_tokens END) AS output_sum,
  sum(CASE WHEN (spans.counted = true) THEN CASE WHEN (spans.total_tokens IS NOT NULL) THEN CASE WHEN (CAST(spans.total_tokens AS HUGEINT) > CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT)) THEN CAST(spans.total_tokens AS HUGEINT) - (CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT)) END END END) AS more_sum,
  sum(CASE WHEN (CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END < 64) THEN CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS NUMERIC(38, 12)) ELSE CAST(CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS TEXT) AS NUMERIC(38, 12)) END) AS cost_sum
FROM spans
WHERE spans.project = $3
GROUP BY 1,
  2
LIMIT $4
;
