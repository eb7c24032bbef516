SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`session_id` IS NULL
LIMIT %(param_1)s
;

SELECT min(`spans`.`start_ns`) AS `min_1`,
  max(`spans`.`start_ns`) AS `max_1`
FROM `spans`
LIMIT %(param_1)s
;

SELECT sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`
FROM `spans`
LEFT OUTER JOIN (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      argMinIf(`spans_1`.`session_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`session_id` IS NOT NULL) AS `trace_session_id`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND `spans_1`.`session_id` IS NOT NULL
      AND `spans_1`.`trace_id` IN (
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`session_id` = %(session_id_1)s)
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
WHERE `spans`.`project` = %(project_3)s
  AND `spans`.`counted` = true
  AND `spans`.`trace_id` IN (
    SELECT `spans_2`.`trace_id`
    FROM `spans` AS `spans_2`
    WHERE `spans_2`.`project` = %(project_2)s
      AND `spans_2`.`session_id` = %(session_id_1)s)
  AND coalesce(`spans`.`session_id`, `trace_values`.`trace_session_id`) = %(coalesce_1)s
LIMIT %(param_1)s
;
