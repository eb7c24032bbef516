SELECT coalesce(`spans`.`provider`, %(coalesce_1)s) AS `provider_name`,
  coalesce(coalesce(`spans`.`response_model`, `spans`.`request_model`), %(coalesce_2)s) AS `model_label`,
  count(*) AS `call_count`,
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
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
GROUP BY 1,
  2
LIMIT %(param_5)s
;
