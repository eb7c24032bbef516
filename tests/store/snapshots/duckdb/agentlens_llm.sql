SELECT coalesce(spans.provider, $1) AS provider_name,
  coalesce(coalesce(spans.response_model, spans.request_model), $2) AS model_label,
  count(*) AS call_count,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = $3
  AND spans.counted = true
  AND spans.end_ns >= $4
  AND spans.end_ns <= $5
  AND spans.start_ns <= $6
  AND spans.role IN ($8)
GROUP BY 1,
  2
LIMIT $7
;

SELECT CAST((spans.end_ns // 1000000000) - mod((spans.end_ns // 1000000000) + 259200, 604800) AS BIGINT) AS bucket_start,
  count(*) AS call_count,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.end_ns >= $2
  AND spans.end_ns <= $3
  AND spans.start_ns <= $4
  AND spans.role IN ($6)
GROUP BY 1
LIMIT $5
;
