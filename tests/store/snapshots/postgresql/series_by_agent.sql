WITH RECURSIVE kin AS (
    SELECT spans_3.trace_id AS trace_id,
      spans_3.span_id AS span_id,
      spans_3.parent_span_id AS parent_span_id,
      spans_3.agent_name AS agent_name,
      spans_3.counted = true AS is_call
    FROM spans AS spans_3
    WHERE spans_3.project = %(project_3)s::VARCHAR
      AND spans_3.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = %(project_4)s::VARCHAR
          AND spans_4.agent_name IS NOT NULL
          AND spans_4.trace_id IN (
            SELECT spans_5.trace_id
            FROM spans AS spans_5
            WHERE spans_5.project = %(project_5)s::VARCHAR
              AND spans_5.counted = true
              AND spans_5.start_ns >= %(start_ns_3)s::BIGINT
              AND spans_5.start_ns <= %(start_ns_4)s::BIGINT
              AND (spans_5.agent_name IS NULL OR spans_5.trace_name IS NULL))
        GROUP BY spans_4.trace_id
        HAVING min(spans_4.agent_name) != max(spans_4.agent_name))),
  below(of_trace, of_span, above, agent, depth) AS (
    SELECT kin.trace_id AS of_trace,
      kin.span_id AS of_span,
      kin.parent_span_id AS above,
      kin.agent_name AS agent,
      CAST(0 AS BIGINT) AS depth
    FROM kin
    WHERE kin.is_call
      AND kin.agent_name IS NULL
      AND kin.parent_span_id IS NOT NULL
    UNION ALL
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      parent.parent_span_id AS parent_span_id,
      parent.agent_name AS agent_name,
      below.depth + %(depth_1)s::BIGINT AS anon_1
    FROM below
    JOIN kin AS parent ON parent.trace_id = below.of_trace
      AND parent.span_id = below.above
    WHERE below.agent IS NULL
      AND below.depth < %(depth_2)s::BIGINT)
SELECT coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) AS d_0,
  count(*) AS m_calls
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.agent_name ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.agent_name IS NOT NULL))[%(param_1)s::INTEGER] AS trace_agent_name,
      (array_agg(spans_1.trace_name ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.trace_name IS NOT NULL))[%(param_2)s::INTEGER] AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.counted = true
          AND spans_2.start_ns >= %(start_ns_1)s::BIGINT
          AND spans_2.start_ns <= %(start_ns_2)s::BIGINT
          AND (spans_2.agent_name IS NULL OR spans_2.trace_name IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
LEFT OUTER JOIN (
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      max(below.agent) AS nearest_agent
    FROM below
    WHERE below.agent IS NOT NULL
    GROUP BY below.of_trace,
      below.of_span) AS nearest_agents ON nearest_agents.of_trace = spans.trace_id
  AND nearest_agents.of_span = spans.span_id
WHERE spans.project = %(project_6)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_5)s::BIGINT
  AND spans.start_ns <= %(start_ns_6)s::BIGINT
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = %(coalesce_1)s::VARCHAR
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT %(param_3)s::INTEGER
;

WITH RECURSIVE kin AS (
    SELECT spans_3.trace_id AS trace_id,
      spans_3.span_id AS span_id,
      spans_3.parent_span_id AS parent_span_id,
      spans_3.agent_name AS agent_name,
      spans_3.counted = true AS is_call
    FROM spans AS spans_3
    WHERE spans_3.project = %(project_3)s::VARCHAR
      AND spans_3.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = %(project_4)s::VARCHAR
          AND spans_4.agent_name IS NOT NULL
          AND spans_4.trace_id IN (
            SELECT spans_5.trace_id
            FROM spans AS spans_5
            WHERE spans_5.project = %(project_5)s::VARCHAR
              AND spans_5.counted = true
              AND spans_5.start_ns >= %(start_ns_3)s::BIGINT
              AND spans_5.start_ns <= %(start_ns_4)s::BIGINT
              AND (spans_5.agent_name IS NULL OR spans_5.trace_name IS NULL))
        GROUP BY spans_4.trace_id
        HAVING min(spans_4.agent_name) != max(spans_4.agent_name))),
  below(of_trace, of_span, above, agent, depth) AS (
    SELECT kin.trace_id AS of_trace,
      kin.span_id AS of_span,
      kin.parent_span_id AS above,
      kin.agent_name AS agent,
      CAST(0 AS BIGINT) AS depth
    FROM kin
    WHERE kin.is_call
      AND kin.agent_name IS NULL
      AND kin.parent_span_id IS NOT NULL
    UNION ALL
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      parent.parent_span_id AS parent_span_id,
      parent.agent_name AS agent_name,
      below.depth + %(depth_1)s::BIGINT AS anon_1
    FROM below
    JOIN kin AS parent ON parent.trace_id = below.of_trace
      AND parent.span_id = below.above
    WHERE below.agent IS NULL
      AND below.depth < %(depth_2)s::BIGINT)
SELECT spans.start_ns - mod(spans.start_ns + 7200000000000, 7200000000000) AS bucket_ns,
  CASE WHEN (coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) IN (%(coalesce_1_1)s::VARCHAR, %(coalesce_1_2)s::VARCHAR)) THEN coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) ELSE %(param_1)s::VARCHAR END AS d_0,
  count(*) AS m_calls,
  (percentile_cont(ARRAY[0.9]::double precision[]) WITHIN GROUP (ORDER BY CAST(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / CAST((CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / CAST(1000000000.0 AS DOUBLE PRECISION)) AS DOUBLE PRECISION) END AS DOUBLE PRECISION)))[%(param_2)s::INTEGER] AS m_tps_p90,
  coalesce(sum(spans.input_tokens), %(coalesce_2)s::INTEGER) + coalesce(sum(spans.output_tokens), %(coalesce_3)s::INTEGER) AS m_tokens
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      (array_agg(spans_1.agent_name ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.agent_name IS NOT NULL))[%(param_3)s::INTEGER] AS trace_agent_name,
      (array_agg(spans_1.trace_name ORDER BY spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id) FILTER (WHERE spans_1.trace_name IS NOT NULL))[%(param_4)s::INTEGER] AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = %(project_1)s::VARCHAR
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = %(project_2)s::VARCHAR
          AND spans_2.counted = true
          AND spans_2.start_ns >= %(start_ns_1)s::BIGINT
          AND spans_2.start_ns <= %(start_ns_2)s::BIGINT
          AND (spans_2.agent_name IS NULL OR spans_2.trace_name IS NULL))
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
LEFT OUTER JOIN (
    SELECT below.of_trace AS of_trace,
      below.of_span AS of_span,
      max(below.agent) AS nearest_agent
    FROM below
    WHERE below.agent IS NOT NULL
    GROUP BY below.of_trace,
      below.of_span) AS nearest_agents ON nearest_agents.of_trace = spans.trace_id
  AND nearest_agents.of_span = spans.span_id
WHERE spans.project = %(project_6)s::VARCHAR
  AND spans.counted = true
  AND spans.start_ns >= %(start_ns_5)s::BIGINT
  AND spans.start_ns <= %(start_ns_6)s::BIGINT
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = %(coalesce_4)s::VARCHAR
GROUP BY 1,
  2
LIMIT %(param_5)s::INTEGER
;
