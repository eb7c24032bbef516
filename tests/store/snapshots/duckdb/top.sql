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

SELECT all_groups.d_0,
  all_groups.d_1,
  all_groups.m_calls,
  all_groups.m_errors,
  all_groups.m_error_rate,
  all_groups.m_cost,
  all_groups.m_tokens,
  all_groups.m_input_tokens,
  all_groups.m_output_tokens,
  all_groups.m_latency_p50,
  all_groups.m_latency_p95,
  all_groups.m_ttft_p50,
  all_groups.m_tps,
  all_groups.last_ns,
  count(*) OVER () AS group_count
FROM (
    SELECT coalesce(spans.user_id, trace_values.trace_user_id) AS d_0,
      coalesce(spans.response_model, spans.request_model) AS d_1,
      count(*) AS m_calls,
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
    LEFT OUTER JOIN (
        SELECT spans_1.trace_id AS of_trace,
          arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
        FROM spans AS spans_1
        WHERE spans_1.project = $11
          AND spans_1.user_id IS NOT NULL
          AND spans_1.trace_id IN (
            SELECT spans_2.trace_id
            FROM spans AS spans_2
            WHERE spans_2.project = $12
              AND spans_2.counted = true
              AND spans_2.start_ns >= $13
              AND spans_2.start_ns <= $14
              AND spans_2.user_id IS NULL)
        GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
    WHERE spans.project = $15
      AND spans.counted = true
      AND spans.start_ns >= $16
      AND spans.start_ns <= $17
    GROUP BY 1,
      2) AS all_groups
ORDER BY all_groups.m_cost DESC NULLS LAST,
  all_groups.d_0 ASC NULLS LAST,
  all_groups.d_1 ASC NULLS LAST
LIMIT $18
;
