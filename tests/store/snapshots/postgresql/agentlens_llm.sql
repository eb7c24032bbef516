SELECT coalesce(spans.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
  coalesce(coalesce(spans.response_model, spans.request_model), %(coalesce_2)s::VARCHAR) AS model_label,
  count(*) AS call_count,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
  AND spans.role IN (%(role_1_1)s::VARCHAR)
GROUP BY 1,
  2
LIMIT %(param_1)s::INTEGER
;

SELECT CAST((spans.end_ns / 1000000000) - mod((spans.end_ns / 1000000000) + 259200, 604800) AS BIGINT) AS bucket_start,
  count(*) AS call_count,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
  AND spans.role IN (%(role_1_1)s::VARCHAR)
GROUP BY 1
LIMIT %(param_1)s::INTEGER
;
