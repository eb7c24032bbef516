SELECT CAST((traces.trace_start // 1000000000) - ((traces.trace_start // 1000000000) % 86400) AS BIGINT) AS day_start,
  count(*) AS trace_count
FROM (
    SELECT spans_1.trace_id AS of_trace,
      min(spans_1.start_ns) AS trace_start
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $2
          AND spans_2.start_ns >= $3
          AND spans_2.start_ns <= $4)
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_3.trace_id
        FROM spans AS spans_3
        WHERE spans_3.project = $5
          AND spans_3.user_id = $6)
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = $7
          AND coalesce(spans_4.trace_name, CASE WHEN (spans_4.parent_span_id IS NULL) THEN spans_4.name END) = $8)
    GROUP BY spans_1.trace_id
    HAVING min(spans_1.start_ns) >= $9
      AND min(spans_1.start_ns) <= $10
      AND arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) = $11
      AND coalesce(arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL), arg_min(CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END IS NOT NULL)) = $12
      AND max(CASE WHEN coalesce(list_contains(from_json(spans_1.tags, '["VARCHAR"]'), $13), false) THEN $14 ELSE $15 END) = $16
      AND arg_min(coalesce(spans_1.environment, $17), row(spans_1.start_ns, spans_1.span_id)) FILTER (WHERE coalesce(spans_1.environment, $17) IS NOT NULL) IN ($19, $20)) AS traces
GROUP BY 1
LIMIT $18
;

SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 86400) AS BIGINT) AS day_start,
  CASE WHEN (spans.role IN ($24, $25)) THEN coalesce(spans.response_model, spans.request_model) END AS model_label,
  count(*) AS observation_count,
  count(DISTINCT spans.trace_id) AS trace_count,
  sum(CASE WHEN (spans.counted = true) THEN spans.input_tokens END) AS input_sum,
  sum(CASE WHEN (spans.counted = true) THEN spans.output_tokens END) AS output_sum,
  sum(CASE WHEN (spans.counted = true) THEN CASE WHEN (CAST(spans.total_tokens AS HUGEINT) >= CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT)) THEN CAST(spans.total_tokens AS HUGEINT) ELSE CAST(coalesce(spans.input_tokens, $1) AS HUGEINT) + CAST(coalesce(spans.output_tokens, $2) AS HUGEINT) END END) AS total_sum,
  sum(CASE WHEN (CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END < 64) THEN CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS NUMERIC(38, 12)) ELSE CAST(CAST(CASE WHEN (spans.counted = true) THEN coalesce(spans.cost_reported, spans.cost_computed) END AS TEXT) AS NUMERIC(38, 12)) END) AS cost_sum
FROM spans
WHERE spans.project = $3
  AND spans.trace_id IN (
    SELECT traces.of_trace
    FROM (
        SELECT spans_1.trace_id AS of_trace,
          min(spans_1.start_ns) AS trace_start
        FROM spans AS spans_1
        WHERE spans_1.project = $4
          AND spans_1.trace_id IN (
            SELECT DISTINCT spans_2.trace_id
            FROM spans AS spans_2
            WHERE spans_2.project = $5
              AND spans_2.start_ns >= $6
              AND spans_2.start_ns <= $7)
          AND spans_1.trace_id IN (
            SELECT DISTINCT spans_3.trace_id
            FROM spans AS spans_3
            WHERE spans_3.project = $8
              AND spans_3.user_id = $9)
          AND spans_1.trace_id IN (
            SELECT DISTINCT spans_4.trace_id
            FROM spans AS spans_4
            WHERE spans_4.project = $10
              AND coalesce(spans_4.trace_name, CASE WHEN (spans_4.parent_span_id IS NULL) THEN spans_4.name END) = $11)
        GROUP BY spans_1.trace_id
        HAVING min(spans_1.start_ns) >= $12
          AND min(spans_1.start_ns) <= $13
          AND arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) = $14
          AND coalesce(arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL), arg_min(CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE CASE WHEN (spans_1.parent_span_id IS NULL) THEN spans_1.name END IS NOT NULL)) = $15
          AND max(CASE WHEN coalesce(list_contains(from_json(spans_1.tags, '["VARCHAR"]'), $16), false) THEN $17 ELSE $18 END) = $19
          AND arg_min(coalesce(spans_1.environment, $20), row(spans_1.start_ns, spans_1.span_id)) FILTER (WHERE coalesce(spans_1.environment, $20) IS NOT NULL) IN ($26, $27)) AS traces)
  AND spans.start_ns >= $21
  AND coalesce(spans.environment, $22) IN ($28, $29)
GROUP BY 1,
  2
LIMIT $23
;
