SELECT coalesce(spans.provider, $1) AS group_0,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $2 ELSE $3 END) AS error_count,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  sum(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns)) AS ttft_ns_sum,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.9, 0.95, 0.99]), 1) AS duration_ns_p50,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.9, 0.95, 0.99]), 2) AS duration_ns_p90,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.9, 0.95, 0.99]), 3) AS duration_ns_p95,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.9, 0.95, 0.99]), 4) AS duration_ns_p99,
  list_extract(quantile_cont(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns), [0.5, 0.9, 0.95, 0.99]), 1) AS ttft_ns_p50,
  list_extract(quantile_cont(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns), [0.5, 0.9, 0.95, 0.99]), 2) AS ttft_ns_p90,
  list_extract(quantile_cont(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns), [0.5, 0.9, 0.95, 0.99]), 3) AS ttft_ns_p95,
  list_extract(quantile_cont(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns), [0.5, 0.9, 0.95, 0.99]), 4) AS ttft_ns_p99,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.5, 0.9, 0.95, 0.99]), 1) AS tps_p50,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.5, 0.9, 0.95, 0.99]), 2) AS tps_p90,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.5, 0.9, 0.95, 0.99]), 3) AS tps_p95,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.5, 0.9, 0.95, 0.99]), 4) AS tps_p99,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) / CAST(spans.output_tokens AS DOUBLE PRECISION) END, [0.5, 0.9, 0.95, 0.99]), 1) AS tpot_s_p50,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) / CAST(spans.output_tokens AS DOUBLE PRECISION) END, [0.5, 0.9, 0.95, 0.99]), 2) AS tpot_s_p90,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) / CAST(spans.output_tokens AS DOUBLE PRECISION) END, [0.5, 0.9, 0.95, 0.99]), 3) AS tpot_s_p95,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) / CAST(spans.output_tokens AS DOUBLE PRECISION) END, [0.5, 0.9, 0.95, 0.99]), 4) AS tpot_s_p99
FROM spans
WHERE spans.project = $4
  AND spans.counted = true
  AND spans.start_ns >= $5
  AND spans.start_ns <= $6
GROUP BY 1
LIMIT $7
;
