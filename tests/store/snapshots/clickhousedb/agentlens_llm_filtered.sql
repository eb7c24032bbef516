WITH `few` AS (
    SELECT minus(intDiv(`spans`.`end_ns`, 1000000000), modulo(plus(intDiv(`spans`.`end_ns`, 1000000000), 0), 3600)) AS `bucket_start`,
      `spans`.`provider` AS `provider`,
      `spans`.`request_model` AS `request_model`,
      `spans`.`response_model` AS `response_model`,
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
      2,
      3,
      4)
SELECT `lists`.`provider_name`,
  `lists`.`model_label`,
  `lists`.`bucket_start`,
  `lists`.`call_count`,
  `lists`.`cost_sum`,
  `lists`.`input_sum`,
  `lists`.`output_sum`,
  `lists`.`duration_ns_sum`
FROM (
    SELECT coalesce(`few`.`provider`, %(coalesce_1)s) AS `provider_name`,
      coalesce(coalesce(`few`.`response_model`, `few`.`request_model`), %(coalesce_2)s) AS `model_label`,
      NULL AS `bucket_start`,
      sumOrNull(toInt128(`few`.`call_count`)) AS `call_count`,
      sumKahanOrNull(`few`.`cost_sum`) AS `cost_sum`,
      sumOrNull(toInt128(`few`.`input_sum`)) AS `input_sum`,
      sumOrNull(toInt128(`few`.`output_sum`)) AS `output_sum`,
      sumOrNull(toInt128(`few`.`duration_ns_sum`)) AS `duration_ns_sum`
    FROM `few`
    GROUP BY 1,
      2
    UNION ALL
    SELECT NULL AS `anon_1`,
      NULL AS `anon__1`,
      `few`.`bucket_start` AS `bucket_start`,
      sumOrNull(toInt128(`few`.`call_count`)) AS `call_count`,
      sumKahanOrNull(`few`.`cost_sum`) AS `cost_sum`,
      sumOrNull(toInt128(`few`.`input_sum`)) AS `input_sum`,
      sumOrNull(toInt128(`few`.`output_sum`)) AS `output_sum`,
      sumOrNull(toInt128(`few`.`duration_ns_sum`)) AS `duration_ns_sum`
    FROM `few`
    GROUP BY `few`.`bucket_start`) AS `lists`
LIMIT %(param_1)s
;
