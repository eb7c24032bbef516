SELECT coalesce(spans.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
  coalesce(coalesce(spans.response_model, spans.request_model), %(coalesce_2)s::VARCHAR) AS model_label,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS error_count,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_3)s::INTEGER] AS latency_50,
  (percentile_cont(ARRAY[0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_4)s::INTEGER] AS latency_95,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS first_token_50,
  (percentile_cont(ARRAY[0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS first_token_95,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN %(param_7)s::INTEGER ELSE %(param_8)s::INTEGER END) AS unpriced_count
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
GROUP BY 1,
  2
LIMIT %(param_9)s::INTEGER
;
