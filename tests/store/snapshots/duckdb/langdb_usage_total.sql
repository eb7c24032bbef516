SELECT sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS cost_sum
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
LIMIT $4
;
