SELECT coalesce(spans.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
  coalesce(coalesce(spans.response_model, spans.request_model), %(coalesce_2)s::VARCHAR) AS model_label,
  count(*) AS call_count,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
  AND spans.role IN (%(role_1_1)s::VARCHAR)
  AND coalesce(spans.provider, %(coalesce_3)s::VARCHAR) = %(coalesce_4)s::VARCHAR
  AND coalesce(coalesce(spans.response_model, spans.request_model), %(coalesce_5)s::VARCHAR) = %(coalesce_6)s::VARCHAR
  AND CASE WHEN (spans.agent_name IS NOT NULL OR spans.agent_id IS NOT NULL) THEN coalesce(spans.agent_name, %(coalesce_7)s::VARCHAR) = %(coalesce_8)s::VARCHAR OR coalesce(spans.agent_id, %(coalesce_9)s::VARCHAR) = %(coalesce_10)s::VARCHAR WHEN (spans.agentlens_agent_id IS NOT NULL) THEN spans.agentlens_agent_id = %(agentlens_agent_id_1)s::VARCHAR ELSE coalesce(spans.service_name, %(coalesce_11)s::VARCHAR) = %(coalesce_12)s::VARCHAR END = true
GROUP BY 1,
  2
LIMIT %(param_1)s::INTEGER
;

SELECT CAST((spans.end_ns / 1000000000) - ((spans.end_ns / 1000000000) %% 3600) AS BIGINT) AS bucket_start,
  count(*) AS call_count,
  CAST(sum(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC)) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.end_ns >= %(end_ns_1)s::BIGINT
  AND spans.end_ns <= %(end_ns_2)s::BIGINT
  AND spans.start_ns <= %(start_ns_1)s::BIGINT
  AND spans.role IN (%(role_1_1)s::VARCHAR)
  AND coalesce(spans.provider, %(coalesce_1)s::VARCHAR) = %(coalesce_2)s::VARCHAR
  AND coalesce(coalesce(spans.response_model, spans.request_model), %(coalesce_3)s::VARCHAR) = %(coalesce_4)s::VARCHAR
  AND CASE WHEN (spans.agent_name IS NOT NULL OR spans.agent_id IS NOT NULL) THEN coalesce(spans.agent_name, %(coalesce_5)s::VARCHAR) = %(coalesce_6)s::VARCHAR OR coalesce(spans.agent_id, %(coalesce_7)s::VARCHAR) = %(coalesce_8)s::VARCHAR WHEN (spans.agentlens_agent_id IS NOT NULL) THEN spans.agentlens_agent_id = %(agentlens_agent_id_1)s::VARCHAR ELSE coalesce(spans.service_name, %(coalesce_9)s::VARCHAR) = %(coalesce_10)s::VARCHAR END = true
GROUP BY 1
LIMIT %(param_1)s::INTEGER
;
