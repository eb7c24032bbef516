SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 3600) AS BIGINT) AS bucket_start,
  coalesce(spans.provider, $1) AS group_0,
  coalesce(CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) > $2) THEN CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) < length(coalesce(spans.response_model, spans.request_model)) AND spans.provider IS NOT NULL AND coalesce(spans.provider_inferred, false) = false AND (lower(substr(coalesce(spans.response_model, spans.request_model), $3, position('/' IN coalesce(spans.response_model, spans.request_model)) - $4)) = lower(spans.provider) OR concat(spans.provider, '/', lower(substr(coalesce(spans.response_model, spans.request_model), $3, position('/' IN coalesce(spans.response_model, spans.request_model)) - $4))) IN (… 60 parameters))) THEN substr(coalesce(spans.response_model, spans.request_model), position('/' IN coalesce(spans.response_model, spans.request_model)) + $5) ELSE coalesce(spans.response_model, spans.request_model) END ELSE coalesce(spans.response_model, spans.request_model) END, $6) AS group_1,
  coalesce(json_extract_string(spans.request_tags, $7), $8) AS group_2,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $9 ELSE $10 END) AS error_count,
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
WHERE spans.project = $11
  AND spans.counted = true
  AND spans.start_ns >= $12
  AND spans.start_ns <= $13
GROUP BY 1,
  2,
  3,
  4
LIMIT $14
;
