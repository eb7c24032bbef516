SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.user_id IS NULL
LIMIT $4
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
LIMIT $1
;

SELECT count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS error_count,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  quantile_cont(spans.end_ns - spans.start_ns, 0.5) AS latency_50,
  quantile_cont(spans.end_ns - spans.start_ns, 0.95) AS latency_95,
  quantile_cont(spans.ttft_ns, 0.5) AS first_token_50,
  quantile_cont(spans.ttft_ns, 0.95) AS first_token_95,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN $3 ELSE $4 END) AS unpriced_count
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $5
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $6
          AND spans_2.user_id = $7)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $8
  AND spans.counted = true
  AND spans.start_ns >= $9
  AND spans.start_ns <= $10
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = $6
      AND spans_2.user_id = $7)
  AND coalesce(spans.user_id, trace_values.trace_user_id) = $11
LIMIT $12
;
