SELECT count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
  CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_5)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_6)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
LIMIT %(param_5)s
;

SELECT `all_groups`.`d_0`,
  `all_groups`.`d_1`,
  `all_groups`.`m_calls`,
  `all_groups`.`m_errors`,
  `all_groups`.`m_error_rate`,
  `all_groups`.`m_cost`,
  `all_groups`.`m_tokens`,
  `all_groups`.`m_input_tokens`,
  `all_groups`.`m_output_tokens`,
  `all_groups`.`m_latency_p50`,
  `all_groups`.`m_latency_p95`,
  `all_groups`.`m_ttft_p50`,
  `all_groups`.`m_tps`,
  `all_groups`.`last_ns`,
  count(*) OVER () AS `group_count`
FROM (
    SELECT coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`) AS `d_0`,
      coalesce(`spans`.`response_model`, `spans`.`request_model`) AS `d_1`,
      count(*) AS `m_calls`,
      sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
      CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
      sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
      coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
      coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
      coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
      CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `m_latency_p50`,
      CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `m_latency_p95`,
      CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s) END AS `m_ttft_p50`,
      CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_5)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_6)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`,
      max(`spans`.`start_ns`) AS `last_ns`
    FROM `spans`
    LEFT OUTER JOIN (
        SELECT `spans_1`.`trace_id` AS `of_trace`,
          argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) AS `trace_user_id`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_1)s
          AND `spans_1`.`user_id` IS NOT NULL
          AND `spans_1`.`trace_id` IN (
            SELECT `spans_2`.`trace_id`
            FROM `spans` AS `spans_2`
            WHERE `spans_2`.`project` = %(project_2)s
              AND `spans_2`.`counted` = true
              AND `spans_2`.`start_ns` >= %(start_ns_1)s
              AND `spans_2`.`start_ns` <= %(start_ns_2)s
              AND `spans_2`.`user_id` IS NULL)
        GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
    WHERE `spans`.`project` = %(project_3)s
      AND `spans`.`counted` = true
      AND `spans`.`start_ns` >= %(start_ns_3)s
      AND `spans`.`start_ns` <= %(start_ns_4)s
    GROUP BY 1,
      2) AS `all_groups`
ORDER BY `all_groups`.`m_cost` DESC NULLS LAST,
  `all_groups`.`d_0` ASC NULLS LAST,
  `all_groups`.`d_1` ASC NULLS LAST
LIMIT %(param_5)s
;
