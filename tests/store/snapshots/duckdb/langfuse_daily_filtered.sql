SELECT spans_1.trace_id
FROM spans AS spans_1
WHERE spans_1.project = $1
  AND spans_1.start_ns <= $2
LIMIT $3
;

SELECT spans_1.trace_id
FROM spans AS spans_1
WHERE spans_1.project = $1
  AND spans_1.start_ns >= $2
LIMIT $3
;

WITH traces AS (
    SELECT spans_1.trace_id AS of_trace,
      min(spans_1.start_ns) AS trace_start
    FROM spans AS spans_1
    WHERE spans_1.project = $7
      AND spans_1.start_ns >= $8
      AND spans_1.start_ns <= $9
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $10
          AND spans_2.start_ns >= $11
          AND spans_2.start_ns <= $12
          AND spans_2.user_id = $13)
      AND spans_1.trace_id IN (
        SELECT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $14
          AND spans_3.start_ns >= $15
          AND spans_3.start_ns <= $16
          AND coalesce(spans_3.trace_name, CASE WHEN (spans_3.parent_span_id IS NULL) THEN spans_3.name END) = $17)
    GROUP BY spans_1.trace_id
    HAVING arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) = $18
      AND coalesce(arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL), arg_min(CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END IS NOT NULL)) = $19
      AND max(CASE WHEN coalesce(list_contains(from_json(spans_1.tags, '["VARCHAR"]'), $20), false) THEN $21 ELSE $22 END) = $23
      AND arg_min(coalesce(spans_1.environment, $24), row(spans_1.start_ns, spans_1.span_id)) FILTER (WHERE coalesce(spans_1.environment, $24) IS NOT NULL) IN ($30, $31))
SELECT days.day_start,
  days.model_label,
  days.observation_count,
  days.trace_count,
  days.input_sum,
  days.output_sum,
  days.more_sum,
  days.cost_sum
FROM (
    SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 86400) AS BIGINT) AS day_start,
      CASE WHEN (spans.role IN ($26, $27)) THEN coalesce(spans.response_model, spans.request_model) END AS model_label,
      count(*) AS observation_count,
      count(DISTINCT spans.trace_id) AS trace_count,
      sum(CASE WHEN (spans.counted = true) THEN spans.input_tokens END) AS input_sum,
      sum(CASE WHEN (spans.counted = true) THEN spans.output_tokens END) AS output_sum,
      sum(CASE WHEN (spans.counted = true) THEN CASE WHEN (spans.total_tokens IS NOT NULL) THEN CASE WHEN (CAST(spans.total_tokens AS HUGEINT) > CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT)) THEN CAST(spans.total_tokens AS HUGEINT) - (CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT)) END END END) AS more_sum,
      sum(CASE WHEN (CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END < 64) THEN CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS NUMERIC(38, 12)) ELSE CAST(CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS TEXT) AS NUMERIC(38, 12)) END) AS cost_sum
    FROM spans
    WHERE spans.project = $3
      AND coalesce(spans.environment, $4) IN ($28, $29)
      AND spans.start_ns >= $5
      AND spans.start_ns <= $6
      AND spans.trace_id IN (
        SELECT traces.of_trace
        FROM traces)
    GROUP BY 1,
      2
    UNION ALL
    SELECT CAST((traces.trace_start // 1000000000) - ((traces.trace_start // 1000000000) % 86400) AS BIGINT) AS day_start,
      NULL AS anon_1,
      0 AS observation_count,
      count(*) AS trace_count,
      NULL AS anon__1,
      NULL AS anon__2,
      NULL AS anon__3,
      NULL AS anon__4
    FROM traces
    GROUP BY 1) AS days
LIMIT $25
;
