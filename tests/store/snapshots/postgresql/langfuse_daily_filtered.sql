SELECT spans_1.trace_id
FROM spans AS spans_1
WHERE spans_1.project = %(project_1)s::VARCHAR
  AND spans_1.start_ns <= %(start_ns_1)s::BIGINT
LIMIT %(param_1)s::INTEGER
;

SELECT spans_1.trace_id
FROM spans AS spans_1
WHERE spans_1.project = %(project_1)s::VARCHAR
  AND spans_1.start_ns >= %(start_ns_1)s::BIGINT
LIMIT %(param_1)s::INTEGER
;

WITH traces AS (
    SELECT spans_1.trace_id AS of_trace,
      min(spans_1.start_ns) AS trace_start
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_2)s::VARCHAR
      AND spans_1.start_ns >= %(start_ns_3)s::BIGINT
      AND spans_1.start_ns <= %(start_ns_4)s::BIGINT
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_3)s::VARCHAR
          AND spans_2.start_ns >= %(start_ns_5)s::BIGINT
          AND spans_2.start_ns <= %(start_ns_6)s::BIGINT
          AND spans_2.user_id = %(user_id_1)s::VARCHAR)
      AND spans_1.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = %(project_4)s::VARCHAR
          AND spans_3.start_ns >= %(start_ns_7)s::BIGINT
          AND spans_3.start_ns <= %(start_ns_8)s::BIGINT
          AND coalesce(spans_3.trace_name, CASE WHEN (spans_3.parent_span_id IS NULL) THEN spans_3.name END) = %(coalesce_5)s::VARCHAR)
    GROUP BY spans_1.trace_id
    HAVING (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_1)s::INTEGER] = %(param_2)s::VARCHAR
      AND coalesce((array_agg(spans_1.trace_name ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.trace_name IS NOT NULL))[%(param_3)s::INTEGER], (array_agg(CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END IS NOT NULL))[%(param_4)s::INTEGER]) = %(coalesce_6)s::VARCHAR
      AND max(CASE WHEN coalesce((CAST(spans_1.tags AS JSONB) ? %(param_5)s::VARCHAR), false) THEN %(param_6)s::INTEGER ELSE %(param_7)s::INTEGER END) = %(max_1)s::INTEGER
      AND (array_agg(coalesce(spans_1.environment, %(coalesce_7)s::VARCHAR) ORDER BY spans_1.start_ns, spans_1.span_id) FILTER (WHERE coalesce(spans_1.environment, %(coalesce_7)s::VARCHAR) IS NOT NULL))[%(param_8)s::INTEGER] IN (%(param_9_1)s::VARCHAR, %(param_9_2)s::VARCHAR))
SELECT days.day_start,
  days.model_label,
  days.observation_count,
  days.trace_count,
  days.input_sum,
  days.output_sum,
  days.more_sum,
  days.cost_sum
FROM (
    SELECT CAST((spans.start_ns / 1000000000) - ((spans.start_ns / 1000000000) %% 86400) AS BIGINT) AS day_start,
      CASE WHEN (spans.role IN (%(role_1_1)s::VARCHAR, %(role_1_2)s::VARCHAR)) THEN coalesce(spans.response_model, spans.request_model) END AS model_label,
      count(*) AS observation_count,
      count(DISTINCT spans.trace_id) AS trace_count,
      sum(CASE WHEN (spans.counted = true) THEN spans.input_tokens END) AS input_sum,
      sum(CASE WHEN (spans.counted = true) THEN spans.output_tokens END) AS output_sum,
      sum(CASE WHEN (spans.counted = true) THEN CASE WHEN (spans.total_tokens IS NOT NULL) THEN CASE WHEN (CAST(spans.total_tokens AS NUMERIC) > CAST(coalesce(spans.input_tokens, %(coalesce_1)s::INTEGER) AS NUMERIC) + CAST(coalesce(spans.output_tokens, %(coalesce_2)s::INTEGER) AS NUMERIC)) THEN CAST(spans.total_tokens AS NUMERIC) - (CAST(coalesce(spans.input_tokens, %(coalesce_1)s::INTEGER) AS NUMERIC) + CAST(coalesce(spans.output_tokens, %(coalesce_2)s::INTEGER) AS NUMERIC)) END END END) AS more_sum,
      sum(CASE WHEN (abs(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END) >= 64) THEN 0 ELSE CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END * 1e12::double precision AS BIGINT) END) * 0.000000000001 + coalesce(sum(CASE WHEN (abs(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END) >= 64) THEN round(CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS NUMERIC), 12) END), 0) AS cost_sum
    FROM spans
    WHERE spans.project = %(project_1)s::VARCHAR
      AND coalesce(spans.environment, %(coalesce_3)s::VARCHAR) IN (%(coalesce_4_1)s::VARCHAR, %(coalesce_4_2)s::VARCHAR)
      AND spans.start_ns >= %(start_ns_1)s::BIGINT
      AND spans.start_ns <= %(start_ns_2)s::BIGINT
      AND spans.trace_id IN (
        SELECT traces.of_trace
        FROM traces)
    GROUP BY 1,
      2
    UNION ALL
    SELECT CAST((traces.trace_start / 1000000000) - ((traces.trace_start / 1000000000) %% 86400) AS BIGINT) AS day_start,
      NULL AS anon_1,
      0 AS observation_count,
      count(*) AS trace_count,
      NULL AS anon__1,
      NULL AS anon__2,
      NULL AS anon__3,
      NULL AS anon__4
    FROM traces
    GROUP BY 1) AS days
LIMIT %(param_10)s::INTEGER
;
