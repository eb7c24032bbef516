SELECT `spans_1`.`trace_id`
FROM `spans` AS `spans_1`
WHERE `spans_1`.`project` = %(project_1)s
  AND `spans_1`.`start_ns` <= %(start_ns_1)s
LIMIT %(param_1)s
;

SELECT `spans_1`.`trace_id`
FROM `spans` AS `spans_1`
WHERE `spans_1`.`project` = %(project_1)s
  AND `spans_1`.`start_ns` >= %(start_ns_1)s
LIMIT %(param_1)s
;

WITH `traces` AS (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      min(`spans_1`.`start_ns`) AS `trace_start`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_2)s
      AND `spans_1`.`start_ns` >= %(start_ns_3)s
      AND `spans_1`.`start_ns` <= %(start_ns_4)s
      AND `spans_1`.`trace_id` IN (
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_3)s
          AND `spans_2`.`start_ns` >= %(start_ns_5)s
          AND `spans_2`.`start_ns` <= %(start_ns_6)s
          AND `spans_2`.`user_id` = %(user_id_1)s)
      AND `spans_1`.`trace_id` IN (
        SELECT `spans_3`.`trace_id`
        FROM `spans` AS `spans_3`
        WHERE `spans_3`.`project` = %(project_4)s
          AND `spans_3`.`start_ns` >= %(start_ns_7)s
          AND `spans_3`.`start_ns` <= %(start_ns_8)s
          AND coalesce(`spans_3`.`trace_name`, CASE WHEN (`spans_3`.`parent_span_id` IS NULL) THEN `spans_3`.`name` END) = %(coalesce_5)s)
    GROUP BY `spans_1`.`trace_id`
    HAVING argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) = %(argMinIf_1)s
      AND coalesce(argMinIf(`spans_1`.`trace_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`trace_name` IS NOT NULL), argMinIf(CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END IS NOT NULL)) = %(coalesce_6)s
      AND max(CASE WHEN has(JSONExtract(ifNull(`spans_1`.`tags`, '[]'), 'Array(String)'), %(param_1)s) THEN %(param_2)s ELSE %(param_3)s END) = %(max_1)s
      AND argMinIf(coalesce(`spans_1`.`environment`, %(coalesce_7)s), tuple(`spans_1`.`start_ns`, `spans_1`.`span_id`), coalesce(`spans_1`.`environment`, %(coalesce_7)s) IS NOT NULL) IN (%(argMinIf_2_1)s, %(argMinIf_2_2)s))
SELECT `days`.`day_start`,
  `days`.`model_label`,
  `days`.`observation_count`,
  `days`.`trace_count`,
  `days`.`input_sum`,
  `days`.`output_sum`,
  `days`.`more_sum`,
  `days`.`cost_sum`
FROM (
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
      AND coalesce(`spans`.`environment`, %(coalesce_3)s) IN (%(coalesce_4_1)s, %(coalesce_4_2)s)
      AND `spans`.`start_ns` >= %(start_ns_1)s
      AND `spans`.`start_ns` <= %(start_ns_2)s
      AND `spans`.`trace_id` IN (
        SELECT `traces`.`of_trace`
        FROM `traces`)
    GROUP BY 1,
      2
    UNION ALL
    SELECT minus(intDiv(`traces`.`trace_start`, 1000000000), modulo(plus(intDiv(`traces`.`trace_start`, 1000000000), 0), 86400)) AS `day_start`,
      NULL AS `anon_1`,
      0 AS `observation_count`,
      count(*) AS `trace_count`,
      NULL AS `anon__1`,
      NULL AS `anon__2`,
      NULL AS `anon__3`,
      NULL AS `anon__4`
    FROM `traces`
    GROUP BY 1) AS `days`
LIMIT %(param_4)s
;
