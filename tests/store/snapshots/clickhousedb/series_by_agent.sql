SELECT coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`)) AS `d_0`,
  count(*) AS `m_calls`
FROM `spans`
LEFT OUTER JOIN (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      argMinIf(`spans_1`.`agent_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`agent_name` IS NOT NULL) AS `trace_agent_name`,
      argMinIf(`spans_1`.`trace_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`trace_name` IS NOT NULL) AS `trace_trace_name`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND (`spans_1`.`agent_name` IS NOT NULL OR `spans_1`.`trace_name` IS NOT NULL)
      AND `spans_1`.`trace_id` IN (
        SELECT DISTINCT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`counted` = true
          AND `spans_2`.`start_ns` >= %(start_ns_1)s
          AND `spans_2`.`start_ns` <= %(start_ns_2)s
          AND (`spans_2`.`agent_name` IS NULL OR `spans_2`.`trace_name` IS NULL))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
WHERE `spans`.`project` = %(project_3)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_3)s
  AND `spans`.`start_ns` <= %(start_ns_4)s
  AND coalesce(`spans`.`trace_name`, `trace_values`.`trace_trace_name`) = %(coalesce_1)s
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns` - mod(`spans`.`start_ns` + 7200000000000, 7200000000000) AS `bucket_ns`,
  CASE WHEN (coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`)) IN (%(coalesce_1_1)s, %(coalesce_1_2)s)) THEN coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`)) ELSE %(param_1)s END AS `d_0`,
  count(*) AS `m_calls`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.9)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.9)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_1)s) END AS `m_tps_p90`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_2)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_3)s) AS `m_tokens`
FROM `spans`
LEFT OUTER JOIN (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      argMinIf(`spans_1`.`agent_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`agent_name` IS NOT NULL) AS `trace_agent_name`,
      argMinIf(`spans_1`.`trace_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`trace_name` IS NOT NULL) AS `trace_trace_name`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND (`spans_1`.`agent_name` IS NOT NULL OR `spans_1`.`trace_name` IS NOT NULL)
      AND `spans_1`.`trace_id` IN (
        SELECT DISTINCT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`counted` = true
          AND `spans_2`.`start_ns` >= %(start_ns_1)s
          AND `spans_2`.`start_ns` <= %(start_ns_2)s
          AND (`spans_2`.`agent_name` IS NULL OR `spans_2`.`trace_name` IS NULL))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
WHERE `spans`.`project` = %(project_3)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_3)s
  AND `spans`.`start_ns` <= %(start_ns_4)s
  AND coalesce(`spans`.`trace_name`, `trace_values`.`trace_trace_name`) = %(coalesce_4)s
GROUP BY 1,
  2
LIMIT %(param_2)s
;
