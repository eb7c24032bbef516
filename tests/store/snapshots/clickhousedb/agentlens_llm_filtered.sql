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
  AND coalesce(`spans`.`provider`, %(coalesce_3)s) = %(coalesce_4)s
  AND coalesce(coalesce(`spans`.`response_model`, `spans`.`request_model`), %(coalesce_5)s) = %(coalesce_6)s
  AND CASE WHEN (`spans`.`agent_name` IS NOT NULL OR `spans`.`agent_id` IS NOT NULL) THEN coalesce(`spans`.`agent_name`, %(coalesce_7)s) = %(coalesce_8)s OR coalesce(`spans`.`agent_id`, %(coalesce_9)s) = %(coalesce_10)s WHEN (`spans`.`agentlens_agent_id` IS NOT NULL) THEN `spans`.`agentlens_agent_id` = %(agentlens_agent_id_1)s ELSE coalesce(`spans`.`service_name`, %(coalesce_11)s) = %(coalesce_12)s END = true
GROUP BY 1,
  2
LIMIT %(param_1)s
;

SELECT minus(intDiv(`spans`.`end_ns`, 1000000000), modulo(plus(intDiv(`spans`.`end_ns`, 1000000000), 0), 3600)) AS `bucket_start`,
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
  AND coalesce(`spans`.`provider`, %(coalesce_1)s) = %(coalesce_2)s
  AND coalesce(coalesce(`spans`.`response_model`, `spans`.`request_model`), %(coalesce_3)s) = %(coalesce_4)s
  AND CASE WHEN (`spans`.`agent_name` IS NOT NULL OR `spans`.`agent_id` IS NOT NULL) THEN coalesce(`spans`.`agent_name`, %(coalesce_5)s) = %(coalesce_6)s OR coalesce(`spans`.`agent_id`, %(coalesce_7)s) = %(coalesce_8)s WHEN (`spans`.`agentlens_agent_id` IS NOT NULL) THEN `spans`.`agentlens_agent_id` = %(agentlens_agent_id_1)s ELSE coalesce(`spans`.`service_name`, %(coalesce_9)s) = %(coalesce_10)s END = true
GROUP BY 1
LIMIT %(param_1)s
;
