SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
  coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
  CAST(coalesce(sum(spans.input_tokens), %(coalesce_5)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_6)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
LIMIT %(param_5)s::INTEGER
;

SELECT spans.tags AS text,
  count(*) AS times
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
  AND spans.tags IS NOT NULL
GROUP BY spans.tags
ORDER BY 2 DESC,
  1
LIMIT %(param_1)s::INTEGER
;

SELECT spans.request_tags AS text,
  count(*) AS times
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.start_ns BETWEEN %(start_ns_1)s::BIGINT
  AND %(start_ns_2)s::BIGINT
  AND spans.request_tags IS NOT NULL
GROUP BY spans.request_tags
ORDER BY 2 DESC,
  1
LIMIT %(param_1)s::INTEGER
;

SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
  coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS m_latency_p50,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS m_latency_p95,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS m_ttft_p50,
  CAST(coalesce(sum(spans.input_tokens), %(coalesce_5)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_6)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps,
  max(spans.start_ns) AS last_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND spans.trace_id IN (
    SELECT spans_1.trace_id
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_2)s::VARCHAR
      AND coalesce((CAST(spans_1.tags AS JSONB) ? %(param_8)s::VARCHAR), false))
LIMIT %(param_9)s::INTEGER
;

SELECT count(*) AS m_calls,
  sum(CASE WHEN (spans.error = true) THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END) AS m_errors,
  CAST(sum(CASE WHEN (spans.error = true) THEN %(param_3)s::INTEGER ELSE %(param_4)s::INTEGER END) AS DOUBLE PRECISION) / CAST(nullif(CAST(count(*) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_error_rate,
  CAST(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN 0 ELSE CAST(coalesce(spans.cost_reported, spans.cost_computed) * 1e15::double precision AS BIGINT) END) * 0.000000000000001 + coalesce(sum(CASE WHEN (abs(coalesce(spans.cost_reported, spans.cost_computed)) >= 4096) THEN round(CAST(coalesce(spans.cost_reported, spans.cost_computed) AS NUMERIC), 15) END), 0) AS DOUBLE PRECISION) AS m_cost,
  coalesce(sum(spans.input_tokens), %(coalesce_1)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_2)s::INTEGER) AS m_tokens,
  coalesce(sum(spans.input_tokens), %(coalesce_3)s::INTEGER) AS m_input_tokens,
  coalesce(sum(spans.output_tokens), %(coalesce_4)s::INTEGER) AS m_output_tokens,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_5)s::INTEGER] AS m_latency_p50,
  (percentile_cont(ARRAY[0.5, 0.95]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION)))[%(param_6)s::INTEGER] AS m_latency_p95,
  (percentile_cont(ARRAY[0.5]::double precision[]) WITHIN GROUP (ORDER BY CAST(spans.ttft_ns AS DOUBLE PRECISION)))[%(param_7)s::INTEGER] AS m_ttft_p50,
  CAST(coalesce(sum(spans.input_tokens), %(coalesce_5)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_6)s::INTEGER) AS DOUBLE PRECISION) / CAST(nullif(CAST(sum(spans.end_ns - spans.start_ns) AS DOUBLE PRECISION), 0.0) AS DOUBLE PRECISION) AS m_tps,
  max(spans.start_ns) AS last_ns
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_1)s::BIGINT
  AND spans.start_ns <= %(start_ns_2)s::BIGINT
  AND (spans.trace_id IN (
        SELECT spans_1.trace_id
        FROM spans AS spans_1
        WHERE spans_1.project = %(project_2)s::VARCHAR
          AND coalesce((CAST(spans_1.tags AS JSONB) ? %(param_8)s::VARCHAR), false)) OR coalesce((CAST(spans.request_tags AS JSONB) ->> %(param_9)s::VARCHAR) = %(param_10)s::VARCHAR, false))
LIMIT %(param_11)s::INTEGER
;
