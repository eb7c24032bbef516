SELECT spans.start_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.session_id IS NULL
LIMIT %(param_1)s::INTEGER
;

SELECT sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.session_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.session_id IS NOT NULL))[%(param_1)s::INTEGER] AS trace_session_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND spans_1.session_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.session_id = %(session_id_1)s::VARCHAR)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = %(project_3)s::VARCHAR
  AND spans.counted = true
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = %(project_2)s::VARCHAR
      AND spans_2.session_id = %(session_id_1)s::VARCHAR)
  AND coalesce(spans.session_id, trace_values.trace_session_id) = %(coalesce_1)s::VARCHAR
LIMIT %(param_2)s::INTEGER
;
