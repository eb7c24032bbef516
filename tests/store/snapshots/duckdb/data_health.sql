SELECT count(*) AS count_1,
  count(spans.counted) AS count_2,
  sum(CASE WHEN (spans.counted = true) THEN $1 ELSE $2 END) AS sum_1
FROM spans
WHERE spans.project = $3
  AND spans.start_ns BETWEEN $4
  AND $5
LIMIT $6
;

SELECT spans.provider,
  coalesce(spans.response_model, spans.request_model) AS model_label,
  count(*) AS count_1,
  coalesce(sum(spans.input_tokens), $1) AS coalesce_1,
  coalesce(sum(spans.output_tokens), $2) AS coalesce_3,
  max(spans.start_ns) AS max_1
FROM spans
WHERE spans.project = $3
  AND spans.start_ns BETWEEN $4
  AND $5
  AND spans.counted = true
  AND coalesce(spans.cost_reported, spans.cost_computed) IS NULL
  AND (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL)
GROUP BY spans.provider,
  coalesce(spans.response_model, spans.request_model)
ORDER BY coalesce(sum(spans.input_tokens), $1) + coalesce(sum(spans.output_tokens), $2) DESC,
  spans.provider,
  coalesce(spans.response_model, spans.request_model)
LIMIT $6
;

SELECT spans.scope_name,
  spans.scope_version,
  spans.dialect,
  count(*) AS count_1,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS sum_1,
  sum(CASE WHEN (spans.error = false AND spans.input_tokens IS NULL AND spans.output_tokens IS NULL) THEN $3 ELSE $4 END) AS sum_2,
  sum(CASE WHEN (spans.is_streaming = true) THEN $5 ELSE $6 END) AS sum_3,
  sum(CASE WHEN (spans.error = false AND spans.is_streaming = true AND spans.ttft_ns IS NULL) THEN $7 ELSE $8 END) AS sum_4,
  sum(CASE WHEN (coalesce(spans.response_model, spans.request_model) IS NULL) THEN $9 ELSE $10 END) AS sum_5,
  sum(CASE WHEN (spans.provider IS NULL) THEN $11 ELSE $12 END) AS sum_6,
  count(spans.tokens_adjusted) AS count_2
FROM spans
WHERE spans.project = $13
  AND spans.start_ns BETWEEN $14
  AND $15
  AND spans.counted = true
GROUP BY spans.scope_name,
  spans.scope_version,
  spans.dialect
ORDER BY count(*) DESC,
  spans.scope_name,
  spans.scope_version,
  spans.dialect
LIMIT $16
;

SELECT spans.scope_name,
  spans.reason,
  count(*) AS count_1,
  arg_min(spans.trace_id, row(spans.trace_id)) FILTER (WHERE spans.trace_id IS NOT NULL) AS anon_1
FROM spans
WHERE spans.project = $1
  AND spans.start_ns BETWEEN $2
  AND $3
  AND spans.counted = false
GROUP BY spans.scope_name,
  spans.reason
ORDER BY count(*) DESC,
  spans.scope_name,
  spans.reason
LIMIT $4
;

SELECT rejections.signal,
  rejections.reason,
  count(*) AS count_1,
  max(rejections.detail) AS max_1,
  max(rejections.time_ns) AS max_2
FROM rejections
WHERE rejections.project = $1
  AND rejections.time_ns BETWEEN $2
  AND $3
  AND rejections.reason != $4
GROUP BY rejections.signal,
  rejections.reason
ORDER BY count(*) DESC,
  rejections.signal,
  rejections.reason
LIMIT $5
;
