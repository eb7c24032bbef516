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

SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 3600) AS BIGINT) AS bucket_start,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS error_count,
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
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $3
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $4
          AND spans_2.user_id = $5)
      AND spans_1.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $6
          AND spans_3.user_name = $7)
      AND spans_1.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = $8
          AND coalesce(list_has_any(from_json(spans_4.user_tags, '["VARCHAR"]'), list_value($9, $10)), false))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
LEFT OUTER JOIN (
    SELECT spans_5.trace_id AS of_trace,
      coalesce(spans_5.user_id, $11) AS of_user,
      arg_min(spans_5.user_name, row(spans_5.parent_span_id IS NOT NULL, spans_5.start_ns, spans_5.span_id)) FILTER (WHERE spans_5.user_name IS NOT NULL) AS profile_name,
      arg_min(spans_5.user_tags, row(spans_5.parent_span_id IS NOT NULL, spans_5.start_ns, spans_5.span_id)) FILTER (WHERE spans_5.user_tags IS NOT NULL) AS profile_tags
    FROM spans AS spans_5
    WHERE spans_5.project = $12
      AND (spans_5.user_name IS NOT NULL OR spans_5.user_tags IS NOT NULL)
      AND spans_5.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $4
          AND spans_2.user_id = $5)
      AND spans_5.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $6
          AND spans_3.user_name = $7)
      AND spans_5.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = $8
          AND coalesce(list_has_any(from_json(spans_4.user_tags, '["VARCHAR"]'), list_value($9, $10)), false))
    GROUP BY spans_5.trace_id,
      coalesce(spans_5.user_id, $11)) AS profiles ON profiles.of_trace = spans.trace_id
  AND profiles.of_user = coalesce(coalesce(spans.user_id, trace_values.trace_user_id), $13)
WHERE spans.project = $14
  AND spans.counted = true
  AND spans.start_ns >= $15
  AND spans.start_ns <= $16
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = $4
      AND spans_2.user_id = $5)
  AND spans.trace_id IN (
    SELECT spans_3.trace_id
    FROM spans AS spans_3
    WHERE spans_3.project = $6
      AND spans_3.user_name = $7)
  AND spans.trace_id IN (
    SELECT spans_4.trace_id
    FROM spans AS spans_4
    WHERE spans_4.project = $8
      AND coalesce(list_has_any(from_json(spans_4.user_tags, '["VARCHAR"]'), list_value($9, $10)), false))
  AND coalesce(spans.user_id, trace_values.trace_user_id) = $17
  AND coalesce(spans.user_name, profiles.profile_name) = $18
  AND coalesce(list_has_any(from_json(coalesce(spans.user_tags, profiles.profile_tags), '["VARCHAR"]'), list_value($19, $20)), false)
GROUP BY 1
LIMIT $21
;
