SELECT CAST(date_part('epoch', date_trunc('month', timezone('UTC', to_timestamp(spans.start_ns / 1000000000)))) AS BIGINT) AS bucket_start,
  coalesce(spans.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
  coalesce(CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) > %(position_1)s::INTEGER AND position('/' IN coalesce(spans.response_model, spans.request_model)) < length(coalesce(spans.response_model, spans.request_model)) AND spans.provider IS NOT NULL AND coalesce(spans.provider_inferred, false) = false AND (lower(substr(coalesce(spans.response_model, spans.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(spans.response_model, spans.request_model)) - %(position_2)s::INTEGER)) = lower(spans.provider) OR concat(spans.provider, '/', lower(substr(coalesce(spans.response_model, spans.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(spans.response_model, spans.request_model)) - %(position_2)s::INTEGER))) IN (… 60 parameters))) THEN substr(coalesce(spans.response_model, spans.request_model), position('/' IN coalesce(spans.response_model, spans.request_model)) + %(position_3)s::INTEGER) ELSE coalesce(spans.response_model, spans.request_model) END, %(coalesce_2)s::VARCHAR) AS model_label,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_1)s::INTEGER] AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND spans_1.user_id IS NOT NULL
      AND spans_1.trace_id IN (
        SELECT DISTINCT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.user_id = %(user_id_1)s::VARCHAR)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = %(project_3)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.trace_id IN (
    SELECT DISTINCT spans_2.trace_id
    FROM spans AS spans_2
    WHERE spans_2.project = %(project_2)s::VARCHAR
      AND spans_2.user_id = %(user_id_1)s::VARCHAR)
  AND coalesce(spans.user_id, trace_values.trace_user_id) = %(coalesce_3)s::VARCHAR
GROUP BY 1,
  2,
  3
LIMIT %(param_2)s::INTEGER
;
