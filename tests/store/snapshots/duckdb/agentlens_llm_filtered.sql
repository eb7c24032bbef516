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
  AND spans.role IN ($19)
  AND coalesce(spans.provider, $7) = $8
  AND coalesce(coalesce(spans.response_model, spans.request_model), $9) = $10
  AND CASE WHEN (spans.agent_name IS NOT NULL OR spans.agent_id IS NOT NULL) THEN coalesce(spans.agent_name, $11) = $12 OR coalesce(spans.agent_id, $13) = $14 WHEN (spans.agentlens_agent_id IS NOT NULL) THEN spans.agentlens_agent_id = $15 ELSE coalesce(spans.service_name, $16) = $17 END = true
GROUP BY 1,
  2
LIMIT $18
;

SELECT CAST((spans.end_ns // 1000000000) - ((spans.end_ns // 1000000000) % 3600) AS BIGINT) AS bucket_start,
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
  AND spans.role IN ($17)
  AND coalesce(spans.provider, $5) = $6
  AND coalesce(coalesce(spans.response_model, spans.request_model), $7) = $8
  AND CASE WHEN (spans.agent_name IS NOT NULL OR spans.agent_id IS NOT NULL) THEN coalesce(spans.agent_name, $9) = $10 OR coalesce(spans.agent_id, $11) = $12 WHEN (spans.agentlens_agent_id IS NOT NULL) THEN spans.agentlens_agent_id = $13 ELSE coalesce(spans.service_name, $14) = $15 END = true
GROUP BY 1
LIMIT $16
;
