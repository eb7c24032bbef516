SELECT sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
LIMIT %(param_1)s
;
