SELECT DISTINCT coalesce(spans.request_tags, $1) AS coalesce_1
FROM spans
WHERE spans.project = $2
  AND spans.counted = true
  AND spans.start_ns >= $3
  AND spans.start_ns <= $4
LIMIT $5
;

SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 86400) AS BIGINT) AS bucket_start,
  CASE WHEN (coalesce(spans.request_tags, $1) = $2) THEN $3 WHEN (coalesce(spans.request_tags, $1) = $4) THEN $5 WHEN (coalesce(spans.request_tags, $1) = $6) THEN $7 WHEN (coalesce(spans.request_tags, $1) = $8) THEN $9 WHEN (coalesce(spans.request_tags, $1) = $10) THEN $11 WHEN (coalesce(spans.request_tags, $1) = $12) THEN $13 WHEN (coalesce(spans.request_tags, $1) = $14) THEN $15 WHEN (coalesce(spans.request_tags, $1) = $16) THEN $17 WHEN (coalesce(spans.request_tags, $1) = $18) THEN $19 WHEN (coalesce(spans.request_tags, $1) = $20) THEN $21 WHEN (coalesce(spans.request_tags, $1) = $22) THEN $23 WHEN (coalesce(spans.request_tags, $1) = $24) THEN $25 WHEN (coalesce(spans.request_tags, $1) = $26) THEN $27 WHEN (coalesce(spans.request_tags, $1) = $28) THEN $29 WHEN (coalesce(spans.request_tags, $1) = $30) THEN $31 WHEN (coalesce(spans.request_tags, $1) = $32) THEN $33 WHEN (coalesce(spans.request_tags, $1) = $34) THEN $35 WHEN (coalesce(spans.request_tags, $1) = $36) THEN $37 WHEN (coalesce(spans.request_tags, $1) = $38) THEN $39 WHEN (coalesce(spans.request_tags, $1) = $40) THEN $41 WHEN (coalesce(spans.request_tags, $1) = $42) THEN $43 WHEN (coalesce(spans.request_tags, $1) = $44) THEN $45 WHEN (coalesce(spans.request_tags, $1) = $46) THEN $47 WHEN (coalesce(spans.request_tags, $1) = $48) THEN $49 WHEN (coalesce(spans.request_tags, $1) = $50) THEN $51 WHEN (coalesce(spans.request_tags, $1) = $52) THEN $53 WHEN (coalesce(spans.request_tags, $1) = $54) THEN $55 WHEN (coalesce(spans.request_tags, $1) = $56) THEN $57 WHEN (coalesce(spans.request_tags, $1) = $58) THEN $59 WHEN (coalesce(spans.request_tags, $1) = $60) THEN $61 WHEN (coalesce(spans.request_tags, $1) = $62) THEN $63 WHEN (coalesce(spans.request_tags, $1) = $64) THEN $65 WHEN (coalesce(spans.request_tags, $1) = $66) THEN $67 WHEN (coalesce(spans.request_tags, $1) = $68) THEN $69 WHEN (coalesce(spans.request_tags, $1) = $70) THEN $71 WHEN (coalesce(spans.request_tags, $1) = $72) THEN $73 WHEN (coalesce(spans.request_tags, $1) = $74) THEN $75 WHEN (coalesce(spans.request_tags, $1) = $76) THEN $77 ELSE coalesce(spans.request_tags, $1) END AS group_0,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $78 ELSE $79 END) AS error_count,
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
WHERE spans.project = $80
  AND spans.counted = true
  AND spans.start_ns >= $81
  AND spans.start_ns <= $82
GROUP BY 1,
  2
LIMIT $83
;
