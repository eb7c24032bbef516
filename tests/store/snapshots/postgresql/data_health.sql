SELECT count(*) AS count_1,
  count(spans.counted) AS count_2,
  sum(CASE WHEN (spans.counted = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS sum_1
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
LIMIT %(param_3)s::INTEGER
;

SELECT spans.provider,
  coalesce(spans.response_model, spans.request_model) AS model_label,
  count(*) AS count_1,
  coalesce(sum(spans.input_tokens), %(coalesce_2)s::INTEGER) AS coalesce_1,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS coalesce_3,
  max(spans.start_ns) AS max_1
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
  AND spans.counted = true
  AND coalesce(spans.cost_reported, spans.cost_computed) IS NULL
  AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)
GROUP BY spans.provider,
  coalesce(spans.response_model, spans.request_model)
ORDER BY coalesce(sum(spans.input_tokens), %(coalesce_2)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) DESC,
  spans.provider,
  coalesce(spans.response_model, spans.request_model)
LIMIT %(param_1)s::INTEGER
;

SELECT spans.scope_name,
  spans.scope_version,
  spans.dialect,
  count(*) AS count_1,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS sum_1,
  sum(CASE WHEN (spans.error = false AND spans.input_tokens IS NULL AND spans.output_tokens IS NULL) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS sum_2,
  sum(CASE WHEN (spans.is_streaming = true) THEN %(param_5)s::INTEGER ELSE %(param_6)s::INTEGER END) AS sum_3,
  sum(CASE WHEN (spans.error = false AND spans.is_streaming = true AND spans.ttft_ns IS NULL) THEN %(param_7)s::INTEGER ELSE %(param_8)s::INTEGER END) AS sum_4,
  sum(CASE WHEN (coalesce(spans.response_model, spans.request_model) IS NULL) THEN %(param_9)s::INTEGER ELSE %(param_10)s::INTEGER END) AS sum_5,
  sum(CASE WHEN (spans.provider IS NULL) THEN %(param_11)s::INTEGER ELSE %(param_12)s::INTEGER END) AS sum_6,
  count(spans.tokens_adjusted) AS count_2
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
  AND spans.counted = true
GROUP BY spans.scope_name,
  spans.scope_version,
  spans.dialect
ORDER BY count(*) DESC,
  spans.scope_name,
  spans.scope_version,
  spans.dialect
LIMIT %(param_13)s::INTEGER
;

SELECT spans.scope_name,
  spans.reason,
  count(*) AS count_1,
  (array_agg(spans.trace_id ORDER BY spans.trace_id) FILTER (WHERE spans.trace_id IS NOT NULL))[%(param_1)s::INTEGER] AS anon_1
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
  AND spans.counted = false
GROUP BY spans.scope_name,
  spans.reason
ORDER BY count(*) DESC,
  spans.scope_name,
  spans.reason
LIMIT %(param_2)s::INTEGER
;

SELECT rejections.signal,
  rejections.reason,
  count(*) AS count_1,
  max(rejections.detail) AS max_1,
  max(rejections.time_ns) AS max_2
FROM rejections
WHERE rejections.project = %(project_1)s::VARCHAR
  AND rejections.time_ns BETWEEN %(time_ns_1)s::BIGINT
  AND %(time_ns_2)s::BIGINT
  AND rejections.reason != %(reason_1)s::VARCHAR
GROUP BY rejections.signal,
  rejections.reason
ORDER BY count(*) DESC,
  rejections.signal,
  rejections.reason
LIMIT %(param_1)s::INTEGER
;
