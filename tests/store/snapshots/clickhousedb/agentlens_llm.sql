SELECT coalesce(`spans`.`provider`, %(coalesce_1)s) AS `provider_name`,
  coalesce(coalesce(`spans`.`response_model`, `spans`.`request_model`), %(coalesce_2)s) AS `model_label`,
  count(*) AS `call_count`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`,
  sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS `duration_ns_sum`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`end_ns` >= %(end_ns_1)s
  AND `spans`.`end_ns` <= %(end_ns_2)s
  AND `spans`.`start_ns` <= %(start_ns_1)s
  AND `spans`.`role` IN (%(role_1_1)s)
GROUP BY 1,
  2
LIMIT %(param_1)s
;

SELECT minus(intDiv(`spans`.`end_ns`, 1000000000), modulo(plus(intDiv(`spans`.`end_ns`, 1000000000), 259200), 604800)) AS `bucket_start`,
  count(*) AS `call_count`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`,
  sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
  sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
  sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS `duration_ns_sum`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`end_ns` >= %(end_ns_1)s
  AND `spans`.`end_ns` <= %(end_ns_2)s
  AND `spans`.`start_ns` <= %(start_ns_1)s
  AND `spans`.`role` IN (%(role_1_1)s)
GROUP BY 1
LIMIT %(param_1)s
;
