SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`user_id` IS NULL
LIMIT %(param_1)s
;

SELECT min(`spans`.`start_ns`) AS `min_1`,
  max(`spans`.`start_ns`) AS `max_1`
FROM `spans`
LIMIT %(param_1)s
;

SELECT minus(intDiv(`spans`.`start_ns`, 1000000000), modulo(plus(intDiv(`spans`.`start_ns`, 1000000000), 0), 3600)) AS `bucket_start`,
  count(*) AS `call_count`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `error_count`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`,
  sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS `duration_ns_sum`,
  sumOrNull(toInt128(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))) AS `ttft_ns_sum`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `duration_ns_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `duration_ns_p90`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_3)s) END AS `duration_ns_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_4)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_4)s) END AS `duration_ns_p99`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_5)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_5)s) END AS `ttft_ns_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_6)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_6)s) END AS `ttft_ns_p90`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_7)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_7)s) END AS `ttft_ns_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_8)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(coalesce(`spans`.`ttft_ns`, `spans`.`end_ns` - `spans`.`start_ns`))), %(arrayElement_8)s) END AS `ttft_ns_p99`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_9)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_9)s) END AS `tps_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_10)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_10)s) END AS `tps_p90`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_11)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_11)s) END AS `tps_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_12)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(coalesce(`spans`.`input_tokens`, 0) AS DOUBLE) + CAST(`spans`.`output_tokens` AS DOUBLE)) / CAST((CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) AS DOUBLE) END)), %(arrayElement_12)s) END AS `tps_p99`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_13)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_13)s) END AS `tpot_s_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_14)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_14)s) END AS `tpot_s_p90`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_15)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_15)s) END AS `tpot_s_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_16)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(toFloat64(CASE WHEN (`spans`.`end_ns` > `spans`.`start_ns` AND `spans`.`output_tokens` > 0) THEN (CAST(`spans`.`end_ns` - `spans`.`start_ns` AS DOUBLE) / CAST(1000000000.0 AS DOUBLE)) / CAST(CAST(`spans`.`output_tokens` AS DOUBLE) AS DOUBLE) END)), %(arrayElement_16)s) END AS `tpot_s_p99`
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
          AND `spans_2`.`user_id` = %(user_id_1)s)
      AND `spans_1`.`trace_id` IN (
        SELECT `spans_3`.`trace_id`
        FROM `spans` AS `spans_3`
        WHERE `spans_3`.`project` = %(project_3)s
          AND `spans_3`.`user_name` = %(user_name_1)s)
      AND `spans_1`.`trace_id` IN (
        SELECT `spans_4`.`trace_id`
        FROM `spans` AS `spans_4`
        WHERE `spans_4`.`project` = %(project_4)s
          AND hasAny(JSONExtract(ifNull(`spans_4`.`user_tags`, '[]'), 'Array(String)'), array(%(param_3)s, %(param_4)s)))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
LEFT OUTER JOIN (
    SELECT `spans_5`.`trace_id` AS `of_trace`,
      coalesce(`spans_5`.`user_id`, %(coalesce_1)s) AS `of_user`,
      argMinIf(`spans_5`.`user_name`, tuple(`spans_5`.`parent_span_id` IS NOT NULL, `spans_5`.`start_ns`, `spans_5`.`span_id`), `spans_5`.`user_name` IS NOT NULL) AS `profile_name`,
      argMinIf(`spans_5`.`user_tags`, tuple(`spans_5`.`parent_span_id` IS NOT NULL, `spans_5`.`start_ns`, `spans_5`.`span_id`), `spans_5`.`user_tags` IS NOT NULL) AS `profile_tags`
    FROM `spans` AS `spans_5`
    WHERE `spans_5`.`project` = %(project_5)s
      AND (`spans_5`.`user_name` IS NOT NULL OR `spans_5`.`user_tags` IS NOT NULL)
      AND `spans_5`.`trace_id` IN (
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`user_id` = %(user_id_1)s)
      AND `spans_5`.`trace_id` IN (
        SELECT `spans_3`.`trace_id`
        FROM `spans` AS `spans_3`
        WHERE `spans_3`.`project` = %(project_3)s
          AND `spans_3`.`user_name` = %(user_name_1)s)
      AND `spans_5`.`trace_id` IN (
        SELECT `spans_4`.`trace_id`
        FROM `spans` AS `spans_4`
        WHERE `spans_4`.`project` = %(project_4)s
          AND hasAny(JSONExtract(ifNull(`spans_4`.`user_tags`, '[]'), 'Array(String)'), array(%(param_3)s, %(param_4)s)))
    GROUP BY `spans_5`.`trace_id`,
      coalesce(`spans_5`.`user_id`, %(coalesce_1)s)) AS `profiles` ON `profiles`.`of_trace` = `spans`.`trace_id`
  AND `profiles`.`of_user` = coalesce(coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`), %(coalesce_2)s)
WHERE `spans`.`project` = %(project_6)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`trace_id` IN (
    SELECT `spans_2`.`trace_id`
    FROM `spans` AS `spans_2`
    WHERE `spans_2`.`project` = %(project_2)s
      AND `spans_2`.`user_id` = %(user_id_1)s)
  AND `spans`.`trace_id` IN (
    SELECT `spans_3`.`trace_id`
    FROM `spans` AS `spans_3`
    WHERE `spans_3`.`project` = %(project_3)s
      AND `spans_3`.`user_name` = %(user_name_1)s)
  AND `spans`.`trace_id` IN (
    SELECT `spans_4`.`trace_id`
    FROM `spans` AS `spans_4`
    WHERE `spans_4`.`project` = %(project_4)s
      AND hasAny(JSONExtract(ifNull(`spans_4`.`user_tags`, '[]'), 'Array(String)'), array(%(param_3)s, %(param_4)s)))
  AND coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`) = %(coalesce_3)s
  AND coalesce(`spans`.`user_name`, `profiles`.`profile_name`) = %(coalesce_4)s
  AND hasAny(JSONExtract(ifNull(coalesce(`spans`.`user_tags`, `profiles`.`profile_tags`), '[]'), 'Array(String)'), array(%(param_5)s, %(param_6)s))
GROUP BY 1
LIMIT %(param_7)s
;
