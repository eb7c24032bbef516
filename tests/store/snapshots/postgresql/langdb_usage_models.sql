SELECT spans.start_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.user_id IS NULL
LIMIT %(param_1)s::INTEGER
;

SELECT few.bucket_start,
  coalesce(few.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
  coalesce(CASE WHEN (position('/' IN coalesce(few.response_model, few.request_model)) > %(position_1)s::INTEGER) THEN CASE WHEN (position('/' IN coalesce(few.response_model, few.request_model)) < length(coalesce(few.response_model, few.request_model)) AND few.provider IS NOT NULL AND coalesce(few.provider_inferred, false) = false AND (lower(substr(coalesce(few.response_model, few.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(few.response_model, few.request_model)) - %(position_2)s::INTEGER)) = lower(few.provider) OR concat(few.provider, '/', lower(substr(coalesce(few.response_model, few.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(few.response_model, few.request_model)) - %(position_2)s::INTEGER))) IN (… 60 parameters))) THEN substr(coalesce(few.response_model, few.request_model), position('/' IN coalesce(few.response_model, few.request_model)) + %(position_3)s::INTEGER) ELSE coalesce(few.response_model, few.request_model) END ELSE coalesce(few.response_model, few.request_model) END, %(coalesce_2)s::VARCHAR) AS model_label,
  sum(few.input_sum) AS input_sum,
  sum(few.output_sum) AS output_sum,
  CAST(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN 0 ELSE CAST(few.cost_sum * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN round(CAST(few.cost_sum AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum
FROM (
    SELECT CAST(date_part('epoch', date_trunc('month', timezone('UTC', to_timestamp(spans.start_ns / 1000000000)))) AS BIGINT) AS bucket_start,
      spans.provider AS provider,
      spans.provider_inferred AS provider_inferred,
      spans.request_model AS request_model,
      spans.response_model AS response_model,
      sum(spans.input_tokens) AS input_sum,
      sum(spans.output_tokens) AS output_sum,
      CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum
    FROM spans
    LEFT OUTER JOIN (
        SELECT spans_1.trace_id AS of_trace,
          (array_agg(spans_1.user_id ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.user_id IS NOT NULL))[%(param_1)s::INTEGER] AS trace_user_id
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
      AND coalesce(spans.user_id, trace_values.trace_user_id) = %(coalesce_3)s::VARCHAR
    GROUP BY 1,
      2,
      3,
      4,
      5) AS few
GROUP BY 1,
  2,
  3
LIMIT %(param_2)s::INTEGER
;
