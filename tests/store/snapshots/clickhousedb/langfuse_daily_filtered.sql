SELECT minus(intDiv(`traces`.`trace_start`, 1000000000), modulo(plus(intDiv(`traces`.`trace_start`, 1000000000), 0), 86400)) AS `day_start`,
  count(*) AS `trace_count`
FROM (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      min(`spans_1`.`start_ns`) AS `trace_start`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND `spans_1`.`trace_id` IN (
        SELECT DISTINCT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`start_ns` >= %(start_ns_1)s
          AND `spans_2`.`start_ns` <= %(start_ns_2)s)
      AND `spans_1`.`trace_id` IN (
        SELECT DISTINCT `spans_3`.`trace_id`
        FROM `spans` AS `spans_3`
        WHERE `spans_3`.`project` = %(project_3)s
          AND `spans_3`.`user_id` = %(user_id_1)s)
      AND `spans_1`.`trace_id` IN (
        SELECT DISTINCT `spans_4`.`trace_id`
        FROM `spans` AS `spans_4`
        WHERE `spans_4`.`project` = %(project_4)s
          AND coalesce(`spans_4`.`trace_name`, CASE WHEN (`spans_4`.`parent_span_id` IS NULL) THEN `spans_4`.`name` END) = %(coalesce_1)s)
    GROUP BY `spans_1`.`trace_id`
    HAVING min(`spans_1`.`start_ns`) >= %(min_1)s
      AND min(`spans_1`.`start_ns`) <= %(min_2)s
      AND argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) = %(argMinIf_1)s
      AND coalesce(argMinIf(`spans_1`.`trace_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`trace_name` IS NOT NULL), argMinIf(CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END IS NOT NULL)) = %(coalesce_2)s
      AND max(CASE WHEN has(JSONExtract(ifNull(`spans_1`.`tags`, '[]'), 'Array(String)'), %(param_1)s) THEN %(param_2)s ELSE %(param_3)s END) = %(max_1)s
      AND argMinIf(coalesce(`spans_1`.`environment`, %(coalesce_3)s), tuple(`spans_1`.`start_ns`, `spans_1`.`span_id`), coalesce(`spans_1`.`environment`, %(coalesce_3)s) IS NOT NULL) IN (%(argMinIf_2_1)s, %(argMinIf_2_2)s)) AS `traces`
GROUP BY 1
LIMIT %(param_4)s
;

SELECT minus(intDiv(`spans`.`start_ns`, 1000000000), modulo(plus(intDiv(`spans`.`start_ns`, 1000000000), 0), 86400)) AS `day_start`,
  CASE WHEN (`spans`.`role` IN (%(role_1_1)s, %(role_1_2)s)) THEN coalesce(`spans`.`response_model`, `spans`.`request_model`) END AS `model_label`,
  count(*) AS `observation_count`,
  count(DISTINCT `spans`.`trace_id`) AS `trace_count`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN `spans`.`input_tokens` END)) AS `input_sum`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN `spans`.`output_tokens` END)) AS `output_sum`,
  sumOrNull(toInt128(CASE WHEN (`spans`.`counted` = true) THEN CASE WHEN (toInt128(`spans`.`total_tokens`) >= toInt128(coalesce(`spans`.`input_tokens`, %(coalesce_1)s)) + toInt128(coalesce(`spans`.`output_tokens`, %(coalesce_2)s))) THEN toInt128(`spans`.`total_tokens`) ELSE toInt128(coalesce(`spans`.`input_tokens`, %(coalesce_1)s)) + toInt128(coalesce(`spans`.`output_tokens`, %(coalesce_2)s)) END END)) AS `total_sum`,
  divide(toDecimal256(sumOrNull(toInt256(round(CASE WHEN (`spans`.`counted` = true) THEN coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) END * 1000000000000))), %(toDecimal256_1)s), 1000000000000) AS `cost_sum`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`trace_id` IN (
    SELECT `traces`.`of_trace`
    FROM (
        SELECT `spans_1`.`trace_id` AS `of_trace`,
          min(`spans_1`.`start_ns`) AS `trace_start`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_2)s
          AND `spans_1`.`trace_id` IN (
            SELECT DISTINCT `spans_2`.`trace_id`
            FROM `spans` AS `spans_2`
            WHERE `spans_2`.`project` = %(project_3)s
              AND `spans_2`.`start_ns` >= %(start_ns_1)s
              AND `spans_2`.`start_ns` <= %(start_ns_2)s)
          AND `spans_1`.`trace_id` IN (
            SELECT DISTINCT `spans_3`.`trace_id`
            FROM `spans` AS `spans_3`
            WHERE `spans_3`.`project` = %(project_4)s
              AND `spans_3`.`user_id` = %(user_id_1)s)
          AND `spans_1`.`trace_id` IN (
            SELECT DISTINCT `spans_4`.`trace_id`
            FROM `spans` AS `spans_4`
            WHERE `spans_4`.`project` = %(project_5)s
              AND coalesce(`spans_4`.`trace_name`, CASE WHEN (`spans_4`.`parent_span_id` IS NULL) THEN `spans_4`.`name` END) = %(coalesce_3)s)
        GROUP BY `spans_1`.`trace_id`
        HAVING min(`spans_1`.`start_ns`) >= %(min_1)s
          AND min(`spans_1`.`start_ns`) <= %(min_2)s
          AND argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) = %(argMinIf_1)s
          AND coalesce(argMinIf(`spans_1`.`trace_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`trace_name` IS NOT NULL), argMinIf(CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), CASE WHEN (`spans_1`.`parent_span_id` IS NULL) THEN `spans_1`.`name` END IS NOT NULL)) = %(coalesce_4)s
          AND max(CASE WHEN has(JSONExtract(ifNull(`spans_1`.`tags`, '[]'), 'Array(String)'), %(param_1)s) THEN %(param_2)s ELSE %(param_3)s END) = %(max_1)s
          AND argMinIf(coalesce(`spans_1`.`environment`, %(coalesce_5)s), tuple(`spans_1`.`start_ns`, `spans_1`.`span_id`), coalesce(`spans_1`.`environment`, %(coalesce_5)s) IS NOT NULL) IN (%(argMinIf_2_1)s, %(argMinIf_2_2)s)) AS `traces`)
  AND `spans`.`start_ns` >= %(start_ns_3)s
  AND coalesce(`spans`.`environment`, %(coalesce_6)s) IN (%(coalesce_7_1)s, %(coalesce_7_2)s)
GROUP BY 1,
  2
LIMIT %(param_4)s
;
