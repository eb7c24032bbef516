WITH RECURSIVE `kin` AS (
    SELECT `spans_3`.`trace_id` AS `trace_id`,
      `spans_3`.`span_id` AS `span_id`,
      `spans_3`.`parent_span_id` AS `parent_span_id`,
      `spans_3`.`agent_name` AS `agent_name`,
      `spans_3`.`counted` = true AS `is_call`
    FROM `spans` AS `spans_3`
    WHERE `spans_3`.`project` = %(project_3)s
      AND `spans_3`.`trace_id` IN (
        SELECT `spans_4`.`trace_id`
        FROM `spans` AS `spans_4`
        WHERE `spans_4`.`project` = %(project_4)s
          AND `spans_4`.`agent_name` IS NOT NULL
          AND `spans_4`.`trace_id` IN (
            SELECT `spans_5`.`trace_id`
            FROM `spans` AS `spans_5`
            WHERE `spans_5`.`project` = %(project_5)s
              AND `spans_5`.`counted` = true
              AND `spans_5`.`start_ns` >= %(start_ns_3)s
              AND `spans_5`.`start_ns` <= %(start_ns_4)s
              AND (`spans_5`.`agent_name` IS NULL OR `spans_5`.`trace_name` IS NULL))
        GROUP BY `spans_4`.`trace_id`
        HAVING min(`spans_4`.`agent_name`) != max(`spans_4`.`agent_name`))),
  `below`(`of_trace`, `of_span`, `above`, `agent`, `depth`) AS (
    SELECT `kin`.`trace_id` AS `of_trace`,
      `kin`.`span_id` AS `of_span`,
      `kin`.`parent_span_id` AS `above`,
      `kin`.`agent_name` AS `agent`,
      CAST(0 AS BIGINT) AS `depth`
    FROM `kin`
    WHERE `kin`.`is_call`
      AND `kin`.`agent_name` IS NULL
      AND `kin`.`parent_span_id` IS NOT NULL
    UNION ALL
    SELECT `below`.`of_trace` AS `of_trace`,
      `below`.`of_span` AS `of_span`,
      `parent`.`parent_span_id` AS `parent_span_id`,
      `parent`.`agent_name` AS `agent_name`,
      `below`.`depth` + %(depth_1)s AS `anon_1`
    FROM `below` INNER
    JOIN `kin` AS `parent` ON `parent`.`trace_id` = `below`.`of_trace`
      AND `parent`.`span_id` = `below`.`above`
    WHERE `below`.`agent` IS NULL
      AND `below`.`depth` < %(depth_2)s)
SELECT coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `nearest_agents`.`nearest_agent`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`))) AS `d_0`,
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
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`counted` = true
          AND `spans_2`.`start_ns` >= %(start_ns_1)s
          AND `spans_2`.`start_ns` <= %(start_ns_2)s
          AND (`spans_2`.`agent_name` IS NULL OR `spans_2`.`trace_name` IS NULL))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
LEFT OUTER JOIN (
    SELECT `below`.`of_trace` AS `of_trace`,
      `below`.`of_span` AS `of_span`,
      max(`below`.`agent`) AS `nearest_agent`
    FROM `below`
    WHERE `below`.`agent` IS NOT NULL
    GROUP BY `below`.`of_trace`,
      `below`.`of_span`) AS `nearest_agents` ON `nearest_agents`.`of_trace` = `spans`.`trace_id`
  AND `nearest_agents`.`of_span` = `spans`.`span_id`
WHERE `spans`.`project` = %(project_6)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_5)s
  AND `spans`.`start_ns` <= %(start_ns_6)s
  AND coalesce(`spans`.`trace_name`, `trace_values`.`trace_trace_name`) = %(coalesce_1)s
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT %(param_1)s
;

WITH RECURSIVE `kin` AS (
    SELECT `spans_3`.`trace_id` AS `trace_id`,
      `spans_3`.`span_id` AS `span_id`,
      `spans_3`.`parent_span_id` AS `parent_span_id`,
      `spans_3`.`agent_name` AS `agent_name`,
      `spans_3`.`counted` = true AS `is_call`
    FROM `spans` AS `spans_3`
    WHERE `spans_3`.`project` = %(project_3)s
      AND `spans_3`.`trace_id` IN (
        SELECT `spans_4`.`trace_id`
        FROM `spans` AS `spans_4`
        WHERE `spans_4`.`project` = %(project_4)s
          AND `spans_4`.`agent_name` IS NOT NULL
          AND `spans_4`.`trace_id` IN (
            SELECT `spans_5`.`trace_id`
            FROM `spans` AS `spans_5`
            WHERE `spans_5`.`project` = %(project_5)s
              AND `spans_5`.`counted` = true
              AND `spans_5`.`start_ns` >= %(start_ns_3)s
              AND `spans_5`.`start_ns` <= %(start_ns_4)s
              AND (`spans_5`.`agent_name` IS NULL OR `spans_5`.`trace_name` IS NULL))
        GROUP BY `spans_4`.`trace_id`
        HAVING min(`spans_4`.`agent_name`) != max(`spans_4`.`agent_name`))),
  `below`(`of_trace`, `of_span`, `above`, `agent`, `depth`) AS (
    SELECT `kin`.`trace_id` AS `of_trace`,
      `kin`.`span_id` AS `of_span`,
      `kin`.`parent_span_id` AS `above`,
      `kin`.`agent_name` AS `agent`,
      CAST(0 AS BIGINT) AS `depth`
    FROM `kin`
    WHERE `kin`.`is_call`
      AND `kin`.`agent_name` IS NULL
      AND `kin`.`parent_span_id` IS NOT NULL
    UNION ALL
    SELECT `below`.`of_trace` AS `of_trace`,
      `below`.`of_span` AS `of_span`,
      `parent`.`parent_span_id` AS `parent_span_id`,
      `parent`.`agent_name` AS `agent_name`,
      `below`.`depth` + %(depth_1)s AS `anon_1`
    FROM `below` INNER
    JOIN `kin` AS `parent` ON `parent`.`trace_id` = `below`.`of_trace`
      AND `parent`.`span_id` = `below`.`above`
    WHERE `below`.`agent` IS NULL
      AND `below`.`depth` < %(depth_2)s)
SELECT `spans`.`start_ns` - mod(`spans`.`start_ns` + 7200000000000, 7200000000000) AS `bucket_ns`,
  CASE WHEN (coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `nearest_agents`.`nearest_agent`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`))) IN (%(coalesce_1_1)s, %(coalesce_1_2)s)) THEN coalesce(`spans`.`agent_name`, `spans`.`agent_id`, `spans`.`agentlens_agent_id`, coalesce(`spans`.`agent_name`, `nearest_agents`.`nearest_agent`, coalesce(`spans`.`agent_name`, `trace_values`.`trace_agent_name`))) ELSE %(param_1)s END AS `d_0`,
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
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`counted` = true
          AND `spans_2`.`start_ns` >= %(start_ns_1)s
          AND `spans_2`.`start_ns` <= %(start_ns_2)s
          AND (`spans_2`.`agent_name` IS NULL OR `spans_2`.`trace_name` IS NULL))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
LEFT OUTER JOIN (
    SELECT `below`.`of_trace` AS `of_trace`,
      `below`.`of_span` AS `of_span`,
      max(`below`.`agent`) AS `nearest_agent`
    FROM `below`
    WHERE `below`.`agent` IS NOT NULL
    GROUP BY `below`.`of_trace`,
      `below`.`of_span`) AS `nearest_agents` ON `nearest_agents`.`of_trace` = `spans`.`trace_id`
  AND `nearest_agents`.`of_span` = `spans`.`span_id`
WHERE `spans`.`project` = %(project_6)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_5)s
  AND `spans`.`start_ns` <= %(start_ns_6)s
  AND coalesce(`spans`.`trace_name`, `trace_values`.`trace_trace_name`) = %(coalesce_4)s
GROUP BY 1,
  2
LIMIT %(param_2)s
;
