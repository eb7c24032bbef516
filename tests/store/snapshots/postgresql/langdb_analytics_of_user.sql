SELECT spans.start_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.user_id IS NULL
LIMIT %(param_1)s::INTEGER
;

SELECT CAST((spans.start_ns / 1000000000) - ((spans.start_ns / 1000000000) %% 3600) AS BIGINT) AS bucket_start,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS error_count,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  sum(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns)) AS ttft_ns_sum,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_3)s::INTEGER] AS duration_ns_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_4)s::INTEGER] AS duration_ns_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS duration_ns_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS duration_ns_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS ttft_ns_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_8)s::INTEGER] AS ttft_ns_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_9)s::INTEGER] AS ttft_ns_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_10)s::INTEGER] AS ttft_ns_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_11)s::INTEGER] AS tps_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_12)s::INTEGER] AS tps_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_13)s::INTEGER] AS tps_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_14)s::INTEGER] AS tps_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_15)s::INTEGER] AS tpot_s_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_16)s::INTEGER] AS tpot_s_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_17)s::INTEGER] AS tpot_s_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_18)s::INTEGER] AS tpot_s_p99
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_19)s::INTEGER] AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.user_id = %(user_id_1)s::VARCHAR)
      AND spans_1.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = %(project_3)s::VARCHAR
          AND spans_3.user_name = %(user_name_1)s::VARCHAR)
      AND spans_1.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = %(project_4)s::VARCHAR
          AND coalesce((CAST(spans_4.user_tags AS JSONB) ?| %(param_20)s::TEXT[]), false))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
LEFT OUTER JOIN (
    SELECT spans_5.trace_id AS of_trace,
      coalesce(spans_5.user_id, %(coalesce_1)s::VARCHAR) AS of_user,
      (array_agg(spans_5.user_name ORDER BY spans_5.parent_span_id IS NOT NULL, spans_5.start_ns, spans_5.span_id) FILTER (WHERE spans_5.user_name IS NOT NULL))[%(param_21)s::INTEGER] AS profile_name,
      (array_agg(spans_5.user_tags ORDER BY spans_5.parent_span_id IS NOT NULL, spans_5.start_ns, spans_5.span_id) FILTER (WHERE spans_5.user_tags IS NOT NULL))[%(param_22)s::INTEGER] AS profile_tags
    FROM spans AS spans_5
    WHERE spans_5.project = %(project_5)s::VARCHAR
      AND (spans_5.user_name IS NOT NULL OR spans_5.user_tags IS NOT NULL)
      AND spans_5.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.user_id = %(user_id_1)s::VARCHAR)
      AND spans_5.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = %(project_3)s::VARCHAR
          AND spans_3.user_name = %(user_name_1)s::VARCHAR)
      AND spans_5.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = %(project_4)s::VARCHAR
          AND coalesce((CAST(spans_4.user_tags AS JSONB) ?| %(param_20)s::TEXT[]), false))
    GROUP BY spans_5.trace_id,
      coalesce(spans_5.user_id, %(coalesce_1)s::VARCHAR)) AS profiles ON profiles.of_trace = spans.trace_id
  AND profiles.of_user = coalesce(coalesce(spans.user_id, trace_values.trace_user_id), %(coalesce_2)s::VARCHAR)
WHERE spans.project = %(project_6)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = %(project_2)s::VARCHAR
      AND spans_2.user_id = %(user_id_1)s::VARCHAR)
  AND spans.trace_id IN (
    SELECT spans_3.trace_id
    FROM spans AS spans_3
    WHERE spans_3.project = %(project_3)s::VARCHAR
      AND spans_3.user_name = %(user_name_1)s::VARCHAR)
  AND spans.trace_id IN (
    SELECT spans_4.trace_id
    FROM spans AS spans_4
    WHERE spans_4.project = %(project_4)s::VARCHAR
      AND coalesce((CAST(spans_4.user_tags AS JSONB) ?| %(param_20)s::TEXT[]), false))
  AND coalesce(spans.user_id, trace_values.trace_user_id) = %(coalesce_3)s::VARCHAR
  AND coalesce(spans.user_name, profiles.profile_name) = %(coalesce_4)s::VARCHAR
  AND coalesce(CAST(coalesce(spans.user_tags, profiles.profile_tags) AS JSONB) ?| %(param_23)s::TEXT[], false)
GROUP BY 1
LIMIT %(param_24)s::INTEGER
;
