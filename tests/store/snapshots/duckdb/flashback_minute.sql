SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.session_id IS NULL
LIMIT $4
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.user_id IS NULL
LIMIT $4
;

SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
LIMIT $1
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.repo_id IS NOT NULL
LIMIT $4
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.service_namespace IS NOT NULL
LIMIT $4
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.ai_llm_id IS NOT NULL
LIMIT $4
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.api_key_id IS NOT NULL
LIMIT $4
;

SELECT spans.start_ns
FROM spans
WHERE spans.project = $1
  AND spans.counted = true
  AND spans.start_ns >= $2
  AND spans.start_ns <= $3
  AND spans.key_id IS NOT NULL
LIMIT $4
;

SELECT few.key_0 AS bucket_start,
  coalesce(few.key_1, CASE WHEN (few.key_2 IS NOT NULL AND few.key_3 IS NOT NULL) THEN concat(few.key_2, '/', few.key_3) ELSE coalesce(few.key_2, few.key_3) END, $1) AS by_repo_id,
  coalesce(few.key_4, CASE WHEN (few.key_5 IS NOT NULL AND CASE WHEN (few.key_6 IS NOT NULL AND CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END IS NOT NULL) THEN concat(few.key_6, ':', CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) ELSE coalesce(few.key_6, CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) END IS NOT NULL) THEN concat(few.key_5, ':', CASE WHEN (few.key_6 IS NOT NULL AND CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END IS NOT NULL) THEN concat(few.key_6, ':', CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) ELSE coalesce(few.key_6, CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) END) ELSE coalesce(few.key_5, CASE WHEN (few.key_6 IS NOT NULL AND CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END IS NOT NULL) THEN concat(few.key_6, ':', CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) ELSE coalesce(few.key_6, CASE WHEN (few.key_6 IS NOT NULL) THEN CAST(few.key_7 AS TEXT) END) END) END, $2) AS by_ai_llm_id,
  coalesce(few.key_8, few.key_9, $3) AS by_api_key_id,
  CASE WHEN (few.key_5 = $4) THEN $5 WHEN (few.key_5 = $6) THEN $7 WHEN (few.key_5 = $8) THEN $9 WHEN (few.key_5 LIKE $10 || '%') THEN $11 ELSE coalesce(few.key_5, $12) END AS by_llm_type,
  coalesce(few.key_11, few.key_10, $13) AS by_llm_model,
  coalesce(few.key_6, $14) AS by_host,
  coalesce(few.key_12, $15) AS by_user_id,
  coalesce(few.key_13, $16) AS by_session_id,
  sum(few.call_count) AS sum_1,
  CAST(sum(few.input_sum) AS TEXT) AS input_sum_text,
  CAST(sum(few.output_sum) AS TEXT) AS output_sum_text,
  CAST(sum(few.duration_ns_sum) AS TEXT) AS duration_ns_sum_text
FROM (
    SELECT CAST((spans.start_ns // 1000000000) - ((spans.start_ns // 1000000000) % 60) AS BIGINT) AS key_0,
      spans.repo_id AS key_1,
      spans.service_namespace AS key_2,
      spans.service_name AS key_3,
      spans.ai_llm_id AS key_4,
      spans.provider AS key_5,
      spans.server_address AS key_6,
      spans.server_port AS key_7,
      spans.api_key_id AS key_8,
      spans.key_id AS key_9,
      spans.request_model AS key_10,
      spans.response_model AS key_11,
      coalesce(spans.user_id, trace_values.trace_user_id) AS key_12,
      coalesce(spans.session_id, trace_values.trace_session_id) AS key_13,
      count(*) AS call_count,
      sum(spans.input_tokens) AS input_sum,
      sum(spans.output_tokens) AS output_sum,
      sum(spans.end_ns - spans.start_ns) AS duration_ns_sum
    FROM spans
    LEFT OUTER JOIN (
        SELECT spans_1.trace_id AS of_trace,
          arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
          arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
        FROM spans AS spans_1
        WHERE spans_1.project = $17
          AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
        GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
    WHERE spans.project = $18
      AND spans.counted = true
      AND spans.start_ns >= $19
      AND spans.start_ns <= $20
    GROUP BY 1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
      10,
      11,
      12,
      13,
      14) AS few
GROUP BY 1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9
ORDER BY 1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9
LIMIT $21
;

SELECT findings.project
FROM findings
WHERE findings.project = $1
LIMIT $2
;

SELECT findings.trace_id,
  findings.span_id,
  findings.time_ns,
  findings.action,
  findings.severity
FROM findings
WHERE findings.project = $1
  AND (findings.time_ns >= $2 AND findings.time_ns <= $3 OR findings.trace_id IN (
        SELECT spans_1.trace_id
        FROM spans AS spans_1
        WHERE spans_1.project = $4
          AND spans_1.counted = true
          AND spans_1.start_ns >= $5
          AND spans_1.start_ns <= $6))
LIMIT $7
;

SELECT spans.role
FROM spans
WHERE spans.project = $1
  AND spans.role = $2
LIMIT $3
;

SELECT spans.trace_id,
  spans.span_id,
  spans.parent_span_id,
  spans.role,
  spans.counted,
  spans.suppressed_by,
  spans.start_ns,
  spans.end_ns,
  spans.input_tokens,
  spans.output_tokens,
  coalesce(spans.repo_id, CASE WHEN (spans.service_namespace IS NOT NULL AND spans.service_name IS NOT NULL) THEN concat(spans.service_namespace, '/', spans.service_name) ELSE coalesce(spans.service_namespace, spans.service_name) END, $1) AS by_repo_id,
  coalesce(spans.ai_llm_id, CASE WHEN (spans.provider IS NOT NULL AND CASE WHEN (spans.server_address IS NOT NULL AND CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END IS NOT NULL) THEN concat(spans.server_address, ':', CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) ELSE coalesce(spans.server_address, CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) END IS NOT NULL) THEN concat(spans.provider, ':', CASE WHEN (spans.server_address IS NOT NULL AND CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END IS NOT NULL) THEN concat(spans.server_address, ':', CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) ELSE coalesce(spans.server_address, CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) END) ELSE coalesce(spans.provider, CASE WHEN (spans.server_address IS NOT NULL AND CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END IS NOT NULL) THEN concat(spans.server_address, ':', CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) ELSE coalesce(spans.server_address, CASE WHEN (spans.server_address IS NOT NULL) THEN CAST(spans.server_port AS TEXT) END) END) END, $2) AS by_ai_llm_id,
  coalesce(spans.api_key_id, spans.key_id, $3) AS by_api_key_id,
  CASE WHEN (spans.provider = $4) THEN $5 WHEN (spans.provider = $6) THEN $7 WHEN (spans.provider = $8) THEN $9 WHEN (spans.provider LIKE $10 || '%') THEN $11 ELSE coalesce(spans.provider, $12) END AS by_llm_type,
  coalesce(spans.response_model, spans.request_model, $13) AS by_llm_model,
  coalesce(spans.server_address, $14) AS by_host,
  coalesce(coalesce(spans.user_id, trace_values.trace_user_id), $15) AS by_user_id,
  coalesce(coalesce(spans.session_id, trace_values.trace_session_id), $16) AS by_session_id
FROM spans
LEFT OUTER JOIN (
    SELECT spans_1.trace_id AS of_trace,
      arg_min(spans_1.session_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.session_id IS NOT NULL) AS trace_session_id,
      arg_min(spans_1.user_id, row(spans_1.parent_span_id IS NOT NULL, spans_1.start_ns, spans_1.span_id)) FILTER (WHERE spans_1.user_id IS NOT NULL) AS trace_user_id
    FROM spans AS spans_1
    WHERE spans_1.project = $17
      AND (spans_1.session_id IS NOT NULL OR spans_1.user_id IS NOT NULL)
      AND spans_1.trace_id IN (
        SELECT traces.trace_id
        FROM (
            SELECT asked.trace_id AS trace_id
            FROM (
                SELECT findings.trace_id AS trace_id
                FROM findings
                WHERE findings.project = $18
                  AND (findings.time_ns >= $19 AND findings.time_ns <= $20 OR findings.trace_id IN (
                        SELECT spans_2.trace_id
                        FROM spans AS spans_2
                        WHERE spans_2.project = $21
                          AND spans_2.counted = true
                          AND spans_2.start_ns >= $22
                          AND spans_2.start_ns <= $23))
                UNION ALL
                SELECT spans_3.trace_id AS trace_id
                FROM spans AS spans_3
                WHERE spans_3.project = $24
                  AND spans_3.role = $25
                  AND spans_3.trace_id IN (
                    SELECT spans_4.trace_id
                    FROM spans AS spans_4
                    WHERE spans_4.project = $26
                      AND spans_4.counted = true
                      AND spans_4.start_ns >= $27
                      AND spans_4.start_ns <= $28)
                  AND (spans_3.input_tokens > $29 OR spans_3.output_tokens > $30 OR (spans_3.trace_id, spans_3.span_id) IN (
                        SELECT spans_5.trace_id,
                          spans_5.parent_span_id
                        FROM spans AS spans_5
                        WHERE spans_5.project = $31
                          AND spans_5.parent_span_id IS NOT NULL))) AS asked
            UNION ALL
            SELECT spans_6.trace_id AS trace_id
            FROM spans AS spans_6
            WHERE spans_6.project = $32
              AND spans_6.counted = true
              AND spans_6.span_id IN (
                SELECT spans_7.suppressed_by
                FROM spans AS spans_7
                WHERE spans_7.project = $33
                  AND spans_7.suppressed_by IS NOT NULL
                  AND spans_7.trace_id IN (
                    SELECT asked.trace_id
                    FROM (
                        SELECT findings.trace_id AS trace_id
                        FROM findings
                        WHERE findings.project = $18
                          AND (findings.time_ns >= $19 AND findings.time_ns <= $20 OR findings.trace_id IN (
                                SELECT spans_2.trace_id
                                FROM spans AS spans_2
                                WHERE spans_2.project = $21
                                  AND spans_2.counted = true
                                  AND spans_2.start_ns >= $22
                                  AND spans_2.start_ns <= $23))
                        UNION ALL
                        SELECT spans_3.trace_id AS trace_id
                        FROM spans AS spans_3
                        WHERE spans_3.project = $24
                          AND spans_3.role = $25
                          AND spans_3.trace_id IN (
                            SELECT spans_4.trace_id
                            FROM spans AS spans_4
                            WHERE spans_4.project = $26
                              AND spans_4.counted = true
                              AND spans_4.start_ns >= $27
                              AND spans_4.start_ns <= $28)
                          AND (spans_3.input_tokens > $29 OR spans_3.output_tokens > $30 OR (spans_3.trace_id, spans_3.span_id) IN (
                                SELECT spans_5.trace_id,
                                  spans_5.parent_span_id
                                FROM spans AS spans_5
                                WHERE spans_5.project = $31
                                  AND spans_5.parent_span_id IS NOT NULL))) AS asked))) AS traces)
    GROUP BY spans_1.trace_id) AS trace_values ON trace_values.of_trace = spans.trace_id
WHERE spans.project = $34
  AND spans.trace_id IN (
    SELECT traces.trace_id
    FROM (
        SELECT asked.trace_id AS trace_id
        FROM (
            SELECT findings.trace_id AS trace_id
            FROM findings
            WHERE findings.project = $18
              AND (findings.time_ns >= $19 AND findings.time_ns <= $20 OR findings.trace_id IN (
                    SELECT spans_2.trace_id
                    FROM spans AS spans_2
                    WHERE spans_2.project = $21
                      AND spans_2.counted = true
                      AND spans_2.start_ns >= $22
                      AND spans_2.start_ns <= $23))
            UNION ALL
            SELECT spans_3.trace_id AS trace_id
            FROM spans AS spans_3
            WHERE spans_3.project = $24
              AND spans_3.role = $25
              AND spans_3.trace_id IN (
                SELECT spans_4.trace_id
                FROM spans AS spans_4
                WHERE spans_4.project = $26
                  AND spans_4.counted = true
                  AND spans_4.start_ns >= $27
                  AND spans_4.start_ns <= $28)
              AND (spans_3.input_tokens > $29 OR spans_3.output_tokens > $30 OR (spans_3.trace_id, spans_3.span_id) IN (
                    SELECT spans_5.trace_id,
                      spans_5.parent_span_id
                    FROM spans AS spans_5
                    WHERE spans_5.project = $31
                      AND spans_5.parent_span_id IS NOT NULL))) AS asked
        UNION ALL
        SELECT spans_6.trace_id AS trace_id
        FROM spans AS spans_6
        WHERE spans_6.project = $32
          AND spans_6.counted = true
          AND spans_6.span_id IN (
            SELECT spans_7.suppressed_by
            FROM spans AS spans_7
            WHERE spans_7.project = $33
              AND spans_7.suppressed_by IS NOT NULL
              AND spans_7.trace_id IN (
                SELECT asked.trace_id
                FROM (
                    SELECT findings.trace_id AS trace_id
                    FROM findings
                    WHERE findings.project = $18
                      AND (findings.time_ns >= $19 AND findings.time_ns <= $20 OR findings.trace_id IN (
                            SELECT spans_2.trace_id
                            FROM spans AS spans_2
                            WHERE spans_2.project = $21
                              AND spans_2.counted = true
                              AND spans_2.start_ns >= $22
                              AND spans_2.start_ns <= $23))
                    UNION ALL
                    SELECT spans_3.trace_id AS trace_id
                    FROM spans AS spans_3
                    WHERE spans_3.project = $24
                      AND spans_3.role = $25
                      AND spans_3.trace_id IN (
                        SELECT spans_4.trace_id
                        FROM spans AS spans_4
                        WHERE spans_4.project = $26
                          AND spans_4.counted = true
                          AND spans_4.start_ns >= $27
                          AND spans_4.start_ns <= $28)
                      AND (spans_3.input_tokens > $29 OR spans_3.output_tokens > $30 OR (spans_3.trace_id, spans_3.span_id) IN (
                            SELECT spans_5.trace_id,
                              spans_5.parent_span_id
                            FROM spans AS spans_5
                            WHERE spans_5.project = $31
                              AND spans_5.parent_span_id IS NOT NULL))) AS asked))) AS traces)
LIMIT $35
;
