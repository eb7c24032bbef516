SELECT spans.start_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.user_id IS NULL
LIMIT %(param_1)s::INTEGER
;

SELECT count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS error_count,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_3)s::INTEGER] AS latency_50,
  (percentile_cont(ARRAY[0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_4)s::INTEGER] AS latency_95,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS first_token_50,
  (percentile_cont(ARRAY[0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS first_token_95,
  sum(CASE WHEN (coalesce(spans.cost_reported, spans.cost_computed) IS NULL AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)) THEN %(param_7)s::INTEGER ELSE %(param_8)s::INTEGER END) AS unpriced_count
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_9)s::INTEGER] AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.user_id = %(user_id_1)s::VARCHAR)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = %(project_3)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = %(project_2)s::VARCHAR
      AND spans_2.user_id = %(user_id_1)s::VARCHAR)
  AND coalesce(spans.user_id, trace_values.trace_user_id) = %(coalesce_1)s::VARCHAR
LIMIT %(param_10)s::INTEGER
;
