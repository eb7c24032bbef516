SELECT CAST((spans.start_ns / 1000000000) - ((spans.start_ns / 1000000000) %% 3600) AS BIGINT) AS bucket_start,
  coalesce(spans.provider, %(coalesce_1)s::VARCHAR) AS group_0,
  coalesce(CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) > %(position_1)s::INTEGER) THEN CASE WHEN (position('/' IN coalesce(spans.response_model, spans.request_model)) < length(coalesce(spans.response_model, spans.request_model)) AND spans.provider IS NOT NULL AND coalesce(spans.provider_inferred, false) = false AND (lower(substr(coalesce(spans.response_model, spans.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(spans.response_model, spans.request_model)) - %(position_2)s::INTEGER)) = lower(spans.provider) OR concat(spans.provider, '/', lower(substr(coalesce(spans.response_model, spans.request_model), %(substr_1)s::INTEGER, position('/' IN coalesce(spans.response_model, spans.request_model)) - %(position_2)s::INTEGER))) IN (… 60 parameters))) THEN substr(coalesce(spans.response_model, spans.request_model), position('/' IN coalesce(spans.response_model, spans.request_model)) + %(position_3)s::INTEGER) ELSE coalesce(spans.response_model, spans.request_model) END ELSE coalesce(spans.response_model, spans.request_model) END, %(coalesce_2)s::VARCHAR) AS group_1,
  coalesce(CAST(spans.request_tags AS JSONB) ->> %(param_1)s::VARCHAR, %(coalesce_3)s::VARCHAR) AS group_2,
  count(*) AS call_count,
  sum(CASE WHEN (spans.error = true) THEN %(param_2)s::INTEGER ELSE %(param_3)s::INTEGER END) AS error_count,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS cost_sum,
  sum(spans.input_tokens) AS input_sum,
  sum(spans.output_tokens) AS output_sum,
  sum(spans.end_ns - spans.start_ns) AS duration_ns_sum,
  sum(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns)) AS ttft_ns_sum,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_4)s::INTEGER] AS duration_ns_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS duration_ns_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS duration_ns_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS duration_ns_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_8)s::INTEGER] AS ttft_ns_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_9)s::INTEGER] AS ttft_ns_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_10)s::INTEGER] AS ttft_ns_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(coalesce(spans.ttft_ns, spans.end_ns - spans.start_ns) AS DOUBLE PRECISION)))[%(param_11)s::INTEGER] AS ttft_ns_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_12)s::INTEGER] AS tps_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_13)s::INTEGER] AS tps_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_14)s::INTEGER] AS tps_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_15)s::INTEGER] AS tps_p99,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_16)s::INTEGER] AS tpot_s_p50,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_17)s::INTEGER] AS tpot_s_p90,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_18)s::INTEGER] AS tpot_s_p95,
  (percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) / CAST(CAST(spans.output_tokens AS DOUBLE PRECISION) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_19)s::INTEGER] AS tpot_s_p99
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
GROUP BY 1,
  2,
  3,
  4
LIMIT %(param_20)s::INTEGER
;
