SELECT CAST(epoch(date_trunc('month', make_timestamp(spans.start_ns // 1000))) AS BIGINT) AS bucket_start,
  coalesce(spans.provider, $1) AS provider_name,
  coalesce(CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) > $2 AND position('/' IN coalesce(spans.response_model, spans.request_model)) < length(coalesce(spans.response_model, spans.request_model)) AND spans.provider IS NOT NULL AND coalesce(spans.provider_inferred, false) = false AND (lower(substr(coalesce(spans.response_model, spans.request_model), $3, position('/' IN coalesce(spans.response_model, spans.request_model)) - $4)) = lower(spans.provider) OR concat(spans.provider, '/', lower(substr(coalesce(spans.response_model, spans.request_model), $3, position('/' IN coalesce(spans.response_model, spans.request_model)) - $4))) IN (… 60 parameters))) THEN substr(coalesce(spans.response_model, spans.request_model), position('/' IN coalesce(spans.response_model, spans.request_model)) + $5) ELSE coalesce(spans.response_model, spans.request_model) END, $6) AS model_label,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $7
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $8
          AND spans_2.user_id = $9)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $10
  AND spans.counted = true
  AND spans.start_ns >= $11
  AND spans.start_ns <= $12
  AND spans.trace_id IN (
    SELECT DISTINCT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = $8
      AND spans_2.user_id = $9)
  AND coalesce(spans.user_id, trace_values.trace_user_id) = $13
GROUP BY 1,
  2,
  3
LIMIT $14
;
