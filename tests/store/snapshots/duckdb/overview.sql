SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN $3 ELSE $4 END) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_error_rate,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS m_cost,
  CAST(fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_cost_per_call,
  coalesce(sum(spans.input_tokens), $5) + coalesce(sum(spans.output_tokens), $6) AS m_tokens,
  coalesce(sum(spans.input_tokens), $7) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), $8) AS m_output_tokens,
  coalesce(sum(spans.cache_read_tokens), $9) AS m_cache_read_tokens,
  coalesce(sum(spans.reasoning_tokens), $10) AS m_reasoning_tokens,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN $11 ELSE $12 END) AS m_unpriced_calls,
  count(spans.ttft_ns) AS m_calls_with_ttft,
  CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_latency_avg,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 1) AS m_latency_p50,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 2) AS m_latency_p95,
  CAST(sum(spans.ttft_ns) AS DOUBLE PRECISION) / nullif(CAST(count(spans.ttft_ns) AS DOUBLE PRECISION), 0.0) AS m_ttft_avg,
  list_extract(quantile_cont(spans.ttft_ns, [0.5, 0.95]), 1) AS m_ttft_p50,
  list_extract(quantile_cont(spans.ttft_ns, [0.5, 0.95]), 2) AS m_ttft_p95,
  CAST(coalesce(sum(spans.input_tokens), $13) + coalesce(sum(spans.output_tokens), $14) AS DOUBLE PRECISION) / nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS m_tps,
  CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION) / nullif(CAST(sum(spans.output_tokens) AS DOUBLE PRECISION), 0.0) AS m_tpot
FROM spans
WHERE spans.project = $15
  AND spans.counted = true
  AND spans.start_ns >= $16
  AND spans.start_ns <= $17
LIMIT $18
;
