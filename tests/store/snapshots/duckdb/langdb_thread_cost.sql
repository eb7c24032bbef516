SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.session_id IS NULL
LIMIT $2
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
LIMIT $1
;

SELECT sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND spans_1.session_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $2
          AND spans_2.session_id = $3)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $4
  AND spans.counted = true
  AND spans.trace_id IN (
    SELECT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = $2
      AND spans_2.session_id = $3)
  AND coalesce(spans.session_id, trace_values.trace_session_id) = $5
LIMIT $6
;
