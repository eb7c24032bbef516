WITH `traces` AS (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      min(`spans_1`.`start_ns`) AS `trace_start`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
    GROUP BY `spans_1`.`trace_id`)
SELECT minus(intDiv(`traces`.`trace_start`, 1000000000), modulo(plus(intDiv(`traces`.`trace_start`, 1000000000), 0), 86400)) AS `day_start`,
  NULL AS `anon_1`,
  0 AS `observation_count`,
  count(*) AS `trace_count`,
  NULL AS `anon__1`,
  NULL AS `anon__2`,
  NULL AS `anon__3`,
  NULL AS `anon__4`
FROM `traces`
GROUP BY 1
LIMIT %(param_1)s
;

SELECT minus(intDiv(`spans`.`start_ns`, 1000000000), modulo(plus(intDiv(`spans`.`start_ns`, 1000000000), 0), 86400)) AS `day_start`,
  CASE WHEN (`spans`.`role` IN (%(role_1_1)s, %(role_1_2)s)) THEN coalesce(`spans`.`response_model`, `spans`.`request_model`) END AS `model_label`,
  count(*) AS `observation_count`,
  count(DISTINCT `spans`.`trace_id`) AS `trace_count`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN `spans`.`input_tokens` END)) AS `input_sum`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN `spans`.`output_tokens` END)) AS `output_sum`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN CASE WHEN (`spans`.`total_tokens` IS NOT NULL) THEN CASE WHEN (toInt128(`spans`.`total_tokens`) > toInt128(coalesce(`spans`.`input_tokens`, %(coalesce_1)s)) + toInt128(coalesce(`spans`.`output_tokens`, %(coalesce_2)s))) THEN toInt128(`spans`.`total_tokens`) - (toInt128(coalesce(`spans`.`input_tokens`, %(coalesce_1)s)) + toInt128(coalesce(`spans`.`output_tokens`, %(coalesce_2)s))) END END END)) AS `more_sum`,
  divide(toDecimal256(sumOrNull(toInt256(round(CASE WHEN (`spans`.`counted` = true) THEN coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) END * 1000000000000))), %(toDecimal256_1)s), 1000000000000) AS `cost_sum`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
GROUP BY 1,
  2
LIMIT %(param_1)s
;
