SELECT coalesce(spans.provider, $1) AS provider_name,
  coalesce(coalesce(spans.response_model, spans.request_model), $2) AS model_label,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $3 ELSE $4 END) AS error_count,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  quantile_cont(spans.end_ns - spans.start_ns, 0.5) AS latency_50,
  quantile_cont(spans.end_ns - spans.start_ns, 0.95) AS latency_95,
  quantile_cont(spans.ttft_ns, 0.5) AS first_token_50,
  quantile_cont(spans.ttft_ns, 0.95) AS first_token_95,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN $5 ELSE $6 END) AS unpriced_count
FROM spans
WHERE spans.project = $7
  AND spans.counted = true
  AND spans.start_ns >= $8
  AND spans.start_ns <= $9
GROUP BY 1,
  2
LIMIT $10
;
