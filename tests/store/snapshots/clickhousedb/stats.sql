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

SELECT count(*) AS `call_count`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `error_count`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`,
  sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS `duration_ns_sum`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `latency_50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `latency_95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s) END AS `first_token_50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_4)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_4)s) END AS `first_token_95`,
  sum(CASE WHEN (coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) IS NULL AND (`spans`.`input_tokens` IS NOT NULL OR `spans`.`output_tokens` IS NOT NULL)) THEN %(param_3)s ELSE %(param_4)s END) AS `unpriced_count`
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
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
WHERE `spans`.`project` = %(project_3)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`trace_id` IN (
    SELECT `spans_2`.`trace_id`
    FROM `spans` AS `spans_2`
    WHERE `spans_2`.`project` = %(project_2)s
      AND `spans_2`.`user_id` = %(user_id_1)s)
  AND coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`) = %(coalesce_1)s
LIMIT %(param_5)s
;
