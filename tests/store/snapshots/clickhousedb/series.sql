SELECT `spans`.`provider` AS `d_0`,
  count(*) AS `m_calls`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
GROUP BY 1
ORDER BY 2 DESC NULLS LAST,
  1
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns` - mod(`spans`.`start_ns` + 7200000000000, 7200000000000) AS `bucket_ns`,
  `spans`.`provider` AS `d_0`,
  count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_output_tokens`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
GROUP BY 1,
  2
LIMIT %(param_3)s
;
