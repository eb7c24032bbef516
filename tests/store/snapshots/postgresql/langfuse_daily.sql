WITH traces AS (
    SELECT spans_1.trace_id AS of_trace,
      min(spans_1.start_ns) AS trace_start
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
    GROUP BY spans_1.trace_id)
SELECT CAST((traces.trace_start / 1000000000) - ((traces.trace_start / 1000000000) %% 86400) AS BIGINT) AS day_start,
  NULL AS anon_1,
  0 AS observation_count,
  count(*) AS trace_count,
  NULL AS anon__1,
  NULL AS anon__2,
  NULL AS anon__3,
  NULL AS anon__4
FROM traces
GROUP BY 1
LIMIT %(param_1)s::INTEGER
;

SELECT CAST((spans.start_ns / 1000000000) - ((spans.start_ns / 1000000000) %% 86400) AS BIGINT) AS day_start,
  CASE WHEN (spans.role IN (%(role_1_1)s::VARCHAR, %(role_1_2)s::VARCHAR)) THEN coalesce(spans.response_model, spans.request_model) END AS model_label,
  count(*) AS observation_count,
  count(DISTINCT spans.trace_id) AS trace_count,
  sum(CASE WHEN (spans.counted = true) THEN spans.input_tokens END) AS input_sum,
  sum(CASE WHEN (spans.counted = true) THEN spans.output_tokens END) AS output_sum,
  sum(CASE WHEN (spans.counted = true) THEN CASE WHEN (spans.total_tokens IS NOT NULL) THEN CASE WHEN (CAST(spans.total_tokens AS NUMERIC) > CAST(coalesce(spans.input_tokens, %(coalesce_1)s::INTEGER) AS NUMERIC) + CAST(coalesce(spans.output_tokens, %(coalesce_2)s::INTEGER) AS NUMERIC)) THEN CAST(spans.total_tokens AS NUMERIC) - (CAST(coalesce(spans.input_tokens, %(coalesce_1)s::INTEGER) AS NUMERIC) + CAST(coalesce(spans.output_tokens, %(coalesce_2)s::INTEGER) AS NUMERIC)) END END END) AS more_sum,
  sum(CASE WHEN (abs(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END) >= 64) THEN 0 ELSE CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END * 1e12::double precision AS BIGINT) END) * 0.000000000001 + coalesce(sum(CASE WHEN (abs(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END) >= 64) THEN round(CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS NUMERIC), 12) END), 0) AS cost_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
GROUP BY 1,
  2
LIMIT %(param_1)s::INTEGER
;
