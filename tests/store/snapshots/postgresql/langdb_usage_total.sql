SELECT sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
LIMIT %(param_1)s::INTEGER
;
