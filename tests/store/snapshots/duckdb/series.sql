SELECT spans.provider AS d_0,
  count(*) AS m_calls
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT $4
;

SELECT spans.start_ns - mod(spans.start_ns + 7200000000000, 7200000000000) AS bucket_ns,
  spans.provider AS d_0,
  count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN $1 ELSE $2 END) AS m_errors,
  fsum(coalesce(spans.cost_reported, spans.cost_computed)) AS m_cost,
  coalesce(sum(spans.input_tokens), $3) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), $4) AS m_output_tokens
FROM spans
WHERE spans.project = $5
  AND spans.counted = true
  AND spans.start_ns >= $6
  AND spans.start_ns <= $7
GROUP BY 1,
  2
LIMIT $8
;
