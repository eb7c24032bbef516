WITH RECURSIVE kin AS (
    SELECT spans_3.trace_id AS trace_id,
      spans_3.span_id AS span_id,
      spans_3.parent_span_id AS parent_span_id,
      spans_3.agent_name AS agent_name,
      spans_3.counted = true AS is_call
    FROM spans AS spans_3
    WHERE spans_3.project = $5
      AND spans_3.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = $6
          AND spans_4.agent_name IS NOT NULL
          AND spans_4.trace_id IN (
            SELECT spans_5.trace_id
            FROM spans AS spans_5
            WHERE spans_5.project = $7
              AND spans_5.counted = true
              AND spans_5.start_ns >= $8
              AND spans_5.start_ns <= $9
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
      below.depth + $10 AS anon_1
    FROM below
    JOIN kin AS parent ON parent.trace_id = below.of_trace
      AND parent.span_id = below.above
    WHERE below.agent IS NULL
      AND below.depth < $11)
SELECT coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) AS d_0,
  count(*) AS m_calls
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.agent_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.agent_name IS NOT NULL) AS trace_agent_name,
      arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL) AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = $1
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $2
          AND spans_2.counted = true
          AND spans_2.start_ns >= $3
          AND spans_2.start_ns <= $4
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
WHERE spans.project = $12
  AND spans.counted = true
  AND spans.start_ns >= $13
  AND spans.start_ns <= $14
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = $15
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT $16
;

WITH RECURSIVE kin AS (
    SELECT spans_3.trace_id AS trace_id,
      spans_3.span_id AS span_id,
      spans_3.parent_span_id AS parent_span_id,
      spans_3.agent_name AS agent_name,
      spans_3.counted = true AS is_call
    FROM spans AS spans_3
    WHERE spans_3.project = $8
      AND spans_3.trace_id IN (
        SELECT spans_4.trace_id
        FROM spans AS spans_4
        WHERE spans_4.project = $9
          AND spans_4.agent_name IS NOT NULL
          AND spans_4.trace_id IN (
            SELECT spans_5.trace_id
            FROM spans AS spans_5
            WHERE spans_5.project = $10
              AND spans_5.counted = true
              AND spans_5.start_ns >= $11
              AND spans_5.start_ns <= $12
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
      below.depth + $13 AS anon_1
    FROM below
    JOIN kin AS parent ON parent.trace_id = below.of_trace
      AND parent.span_id = below.above
    WHERE below.agent IS NULL
      AND below.depth < $14)
SELECT spans.start_ns - mod(spans.start_ns + 7200000000000, 7200000000000) AS bucket_ns,
  CASE WHEN (coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) IN ($20, $21)) THEN coalesce(spans.agent_name, spans.agent_id, spans.agentlens_agent_id, coalesce(spans.agent_name, nearest_agents.nearest_agent, coalesce(spans.agent_name, trace_values.trace_agent_name))) ELSE $1 END AS d_0,
  count(*) AS m_calls,
  list_extract(quantile_cont(CASE WHEN (spans.end_ns > spans.start_ns AND spans.output_tokens > 0) THEN (CAST(coalesce(spans.input_tokens, 0) AS DOUBLE PRECISION) + CAST(spans.output_tokens AS DOUBLE PRECISION)) / (CAST(spans.end_ns - spans.start_ns AS DOUBLE PRECISION) / 1000000000.0) END, [0.9]), 1) AS m_tps_p90,
  coalesce(sum(spans.input_tokens), $2) + coalesce(sum(spans.output_tokens), $3) AS m_tokens
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.agent_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.agent_name IS NOT NULL) AS trace_agent_name,
      arg_min(spans_1.trace_name, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.trace_name IS NOT NULL) AS trace_trace_name
    FROM spans AS spans_1
    WHERE spans_1.project = $4
      AND (spans_1.agent_name IS NOT NULL OR spans_1.trace_name IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT spans_2.trace_id
        FROM spans AS spans_2
        WHERE spans_2.project = $5
          AND spans_2.counted = true
          AND spans_2.start_ns >= $6
          AND spans_2.start_ns <= $7
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
WHERE spans.project = $15
  AND spans.counted = true
  AND spans.start_ns >= $16
  AND spans.start_ns <= $17
  AND coalesce(spans.trace_name, trace_values.trace_trace_name) = $18
GROUP BY 1,
  2
LIMIT $19
;
