SELECT spans.provider AS d_0,
  count(*) AS m_calls
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT %(param_1)s::INTEGER
;

SELECT spans.start_ns - mod(spans.start_ns + 7200000000000, 7200000000000) AS bucket_ns,
  spans.provider AS d_0,
  count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_output_tokens
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
GROUP BY 1,
  2
LIMIT %(param_3)s::INTEGER
;
