SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
  coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
  CAST(coalesce(sum(spans.input_tokens), %(coalesce_5)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_6)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
LIMIT %(param_5)s::INTEGER
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
      sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
      CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
      CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
      coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
      coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
      coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
      (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS m_latency_p50,
      (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS m_latency_p95,
      (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS m_ttft_p50,
      CAST(coalesce(sum(spans.input_tokens), %(coalesce_5)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_6)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps,
      max(spans.start_ns) AS last_ns
    FROM spans
    LEFT OUTER JOIN (
        SELECT spans_1.trace_id AS of_trace,
          (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_8)s::INTEGER] AS trace_user_id
        FROM spans AS spans_1
        WHERE spans_1.project = %(project_1)s::VARCHAR
          AND spans_1.user_id IS NOT NULL
          AND spans_1.trace_id IN (
            SELECT spans_2.trace_id
            FROM spans AS spans_2
            WHERE spans_2.project = %(project_2)s::VARCHAR
              AND spans_2.counted = true
              AND spans_2.start_ns >= %(start_ns_1)s::BIGINT
              AND spans_2.start_ns <= %(start_ns_2)s::BIGINT
              AND spans_2.user_id IS NULL)
        GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
    WHERE spans.project = %(project_3)s::VARCHAR
      AND spans.counted = true
      AND spans.start_ns >= %(start_ns_3)s::BIGINT
      AND spans.start_ns <= %(start_ns_4)s::BIGINT
    GROUP BY 1,
      2) AS all_groups
ORDER BY all_groups.m_cost DESC NULLS LAST,
  all_groups.d_0 ASC NULLS LAST,
  all_groups.d_1 ASC NULLS LAST
LIMIT %(param_9)s::INTEGER
;
