WITH few AS (
    SELECT CAST((spans.end_ns / 1000000000) - ((spans.end_ns / 1000000000) %% 3600) AS BIGINT) AS bucket_start,
      spans.provider AS provider,
      spans.request_model AS request_model,
      spans.response_model AS response_model,
      count(*) AS call_count,
      CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
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
      2,
      3,
      4)
SELECT lists.provider_name,
  lists.model_label,
  lists.bucket_start,
  lists.call_count,
  lists.cost_sum,
  lists.input_sum,
  lists.output_sum,
  lists.duration_ns_sum
FROM (
    SELECT coalesce(few.provider, %(coalesce_1)s::VARCHAR) AS provider_name,
      coalesce(coalesce(few.response_model, few.request_model), %(coalesce_2)s::VARCHAR) AS model_label,
      NULL AS bucket_start,
      sum(few.call_count) AS call_count,
      CAST(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN 0 ELSE CAST(few.cost_sum * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN round(CAST(few.cost_sum AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
      sum(few.input_sum) AS input_sum,
      sum(few.output_sum) AS output_sum,
      sum(few.duration_ns_sum) AS duration_ns_sum
    FROM few
    GROUP BY 1,
      2
    UNION ALL
    SELECT NULL AS anon_1,
      NULL AS anon__1,
      few.bucket_start AS bucket_start,
      sum(few.call_count) AS call_count,
      CAST(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN 0 ELSE CAST(few.cost_sum * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(few.cost_sum) >= 4096) THEN round(CAST(few.cost_sum AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
      sum(few.input_sum) AS input_sum,
      sum(few.output_sum) AS output_sum,
      sum(few.duration_ns_sum) AS duration_ns_sum
    FROM few
    GROUP BY few.bucket_start) AS lists
LIMIT %(param_1)s::INTEGER
;
