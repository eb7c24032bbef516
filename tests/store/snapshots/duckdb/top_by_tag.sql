SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN $3 ELSE $4 END) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_error_rate,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS m_cost,
  coalesce(sum(spans.input_tokens), $5) + coalesce(sum(spans.output_tokens), $6) AS m_tokens,
  coalesce(sum(spans.input_tokens), $7) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), $8) AS m_output_tokens,
  CAST(coalesce(sum(spans.input_tokens), $9) + coalesce(sum(spans.output_tokens), $10) AS DOUBLE PRECISION) / nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS m_tps
FROM spans
WHERE spans.project = $11
  AND spans.counted = true
  AND spans.start_ns >= $12
  AND spans.start_ns <= $13
LIMIT $14
;

SELECT spans.tags AS text,
  count(*) AS times
FROM spans
WHERE spans.project = $1
  AND spans.start_ns BETWEEN $2
  AND $3
  AND spans.tags IS NOT NULL
GROUP BY spans.tags
ORDER BY 2 DESC,
  1
LIMIT $4
;

SELECT spans.request_tags AS text,
  count(*) AS times
FROM spans
WHERE spans.project = $1
  AND spans.start_ns BETWEEN $2
  AND $3
  AND spans.request_tags IS NOT NULL
GROUP BY spans.request_tags
ORDER BY 2 DESC,
  1
LIMIT $4
;

SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN $3 ELSE $4 END) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_error_rate,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS m_cost,
  coalesce(sum(spans.input_tokens), $5) + coalesce(sum(spans.output_tokens), $6) AS m_tokens,
  coalesce(sum(spans.input_tokens), $7) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), $8) AS m_output_tokens,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 1) AS m_latency_p50,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 2) AS m_latency_p95,
  list_extract(quantile_cont(spans.ttft_ns, [0.5]), 1) AS m_ttft_p50,
  CAST(coalesce(sum(spans.input_tokens), $9) + coalesce(sum(spans.output_tokens), $10) AS DOUBLE PRECISION) / nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS m_tps,
  max(spans.start_ns) AS last_ns
FROM spans
WHERE spans.project = $11
  AND spans.counted = true
  AND spans.start_ns >= $12
  AND spans.start_ns <= $13
  AND spans.trace_id IN (
    SELECT spans_1.trace_id
    FROM spans AS spans_1
    WHERE spans_1.project = $14
      AND coalesce(list_contains(from_json(spans_1.tags, '["VARCHAR"]'), $15), false))
LIMIT $16
;

SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN $3 ELSE $4 END) AS DOUBLE PRECISION) / nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS m_error_rate,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS m_cost,
  coalesce(sum(spans.input_tokens), $5) + coalesce(sum(spans.output_tokens), $6) AS m_tokens,
  coalesce(sum(spans.input_tokens), $7) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), $8) AS m_output_tokens,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 1) AS m_latency_p50,
  list_extract(quantile_cont(spans.end_ns - spans.start_ns, [0.5, 0.95]), 2) AS m_latency_p95,
  list_extract(quantile_cont(spans.ttft_ns, [0.5]), 1) AS m_ttft_p50,
  CAST(coalesce(sum(spans.input_tokens), $9) + coalesce(sum(spans.output_tokens), $10) AS DOUBLE PRECISION) / nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS m_tps,
  max(spans.start_ns) AS last_ns
FROM spans
WHERE spans.project = $11
  AND spans.counted = true
  AND spans.start_ns >= $12
  AND spans.start_ns <= $13
  AND (spans.trace_id IN (
        SELECT spans_1.trace_id
        FROM spans AS spans_1
        WHERE spans_1.project = $14
          AND coalesce(list_contains(from_json(spans_1.tags, '["VARCHAR"]'), $15), false)) OR coalesce(json_extract_string(spans.request_tags, $16) = $17, false))
LIMIT $18
;
