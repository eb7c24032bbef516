SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  CAST(CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_cost_per_call,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
  coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
  coalesce(sum(spans.cache_read_tokens), %(coalesce_5)s::INTEGER) AS m_cache_read_tokens,
  coalesce(sum(spans.reasoning_tokens), %(coalesce_6)s::INTEGER) AS m_reasoning_tokens,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN %(param_5)s::INTEGER ELSE %(param_6)s::INTEGER END) AS m_unpriced_calls,
  count(spans.ttft_ns) AS m_calls_with_ttft,
  CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_latency_avg,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS m_latency_p50,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_8)s::INTEGER] AS m_latency_p95,
  CAST(sum(spans.ttft_ns) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(spans.ttft_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_ttft_avg,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_9)s::INTEGER] AS m_ttft_p50,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_10)s::INTEGER] AS m_ttft_p95,
  CAST(coalesce(sum(spans.input_tokens), %(coalesce_7)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_8)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps,
  CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.output_tokens) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tpot
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
LIMIT %(param_11)s::INTEGER
;
