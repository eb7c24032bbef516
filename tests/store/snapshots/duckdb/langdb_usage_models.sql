SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.user_id IS NULL
LIMIT $4
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
LIMIT $1
;

SELECT few.bucket_start,
  coalesce(few.provider, $1) AS provider_name,
  coalesce(CASE WHEN (position('/' IN coalesce(few.response_model, few.request_model)) > $2) THEN CASE WHEN (position('/' IN coalesce(few.response_model, few.request_model)) < length(coalesce(few.response_model, few.request_model)) AND few.provider IS NOT NULL AND coalesce(few.provider_inferred, false) = false AND (lower(substr(coalesce(few.response_model, few.request_model), $3, position('/' IN coalesce(few.response_model, few.request_model)) - $4)) = lower(few.provider) OR concat(few.provider, '/', lower(substr(coalesce(few.response_model, few.request_model), $3, position('/' IN coalesce(few.response_model, few.request_model)) - $4))) IN (… 60 parameters))) THEN substr(coalesce(few.response_model, few.request_model), position('/' IN coalesce(few.response_model, few.request_model)) + $5) ELSE coalesce(few.response_model, few.request_model) END ELSE coalesce(few.response_model, few.request_model) END, $6) AS model_label,
  sum(few.input_sum) AS input_sum,
  sum(few.output_sum) AS output_sum,
  fsum(few.cost_sum) AS cost_sum
FROM (
    SELECT CAST(epoch(date_trunc('month', make_timestamp(spans.start_ns // 1000))) AS BIGINT) AS bucket_start,
      spans.provider AS provider,
      spans.provider_inferred AS provider_inferred,
      spans.request_model AS request_model,
      spans.response_model AS response_model,
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
            SELECT spans_2.trace_id
            FROM spans AS spans_2
            WHERE spans_2.project = $8
              AND spans_2.user_id = $9)
        GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
    WHERE spans.project = $10
      AND spans.counted = true
      AND spans.start_ns >= $11
      AND spans.start_ns <= $12
      AND spans.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $8
          AND spans_2.user_id = $9)
      AND coalesce(spans.user_id, trace_values.trace_user_id) = $13
    GROUP BY 1,
      2,
      3,
      4,
      5) AS few
GROUP BY 1,
  2,
  3
LIMIT $14
;
