SELECT count(*) AS `count_1`,
  count(`spans`.`counted`) AS `count_2`,
  sum(CASE WHEN (`spans`.`counted` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `sum_1`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
LIMIT %(param_3)s
;

SELECT `spans`.`provider`,
  coalesce(`spans`.`response_model`, `spans`.`request_model`) AS `model_label`,
  count(*) AS `count_1`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_2)s) AS `coalesce_1`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `coalesce_3`,
  max(`spans`.`start_ns`) AS `max_1`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
  AND `spans`.`counted` = true
  AND coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) IS NULL
  AND (`spans`.`input_tokens` IS NOT NULL OR `spans`.`output_tokens` IS NOT NULL)
GROUP BY `spans`.`provider`,
  coalesce(`spans`.`response_model`, `spans`.`request_model`)
ORDER BY coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_2)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) DESC,
  `spans`.`provider`,
  coalesce(`spans`.`response_model`, `spans`.`request_model`)
LIMIT %(param_1)s
;

SELECT `spans`.`scope_name`,
  `spans`.`scope_version`,
  `spans`.`dialect`,
  count(*) AS `count_1`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `sum_1`,
  sum(CASE WHEN (`spans`.`error` = false AND `spans`.`input_tokens` IS NULL AND `spans`.`output_tokens` IS NULL) THEN %(param_3)s ELSE %(param_4)s END) AS `sum_2`,
  sum(CASE WHEN (`spans`.`is_streaming` = true) THEN %(param_5)s ELSE %(param_6)s END) AS `sum_3`,
  sum(CASE WHEN (`spans`.`error` = false AND `spans`.`is_streaming` = true AND `spans`.`ttft_ns` IS NULL) THEN %(param_7)s ELSE %(param_8)s END) AS `sum_4`,
  sum(CASE WHEN (coalesce(`spans`.`response_model`, `spans`.`request_model`) IS NULL) THEN %(param_9)s ELSE %(param_10)s END) AS `sum_5`,
  sum(CASE WHEN (`spans`.`provider` IS NULL) THEN %(param_11)s ELSE %(param_12)s END) AS `sum_6`,
  count(`spans`.`tokens_adjusted`) AS `count_2`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
  AND `spans`.`counted` = true
GROUP BY `spans`.`scope_name`,
  `spans`.`scope_version`,
  `spans`.`dialect`
ORDER BY count(*) DESC,
  `spans`.`scope_name`,
  `spans`.`scope_version`,
  `spans`.`dialect`
LIMIT %(param_13)s
;

SELECT `spans`.`scope_name`,
  `spans`.`reason`,
  count(*) AS `count_1`,
  argMinIf(`spans`.`trace_id`, tuple(`spans`.`trace_id`), `spans`.`trace_id` IS NOT NULL) AS `argMinIf_1`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
  AND `spans`.`counted` = false
GROUP BY `spans`.`scope_name`,
  `spans`.`reason`
ORDER BY count(*) DESC,
  `spans`.`scope_name`,
  `spans`.`reason`
LIMIT %(param_1)s
;

SELECT `rejections`.`signal`,
  `rejections`.`reason`,
  count(*) AS `count_1`,
  max(`rejections`.`detail`) AS `max_1`,
  max(`rejections`.`time_ns`) AS `max_2`
FROM `rejections`
WHERE `rejections`.`project` = %(project_1)s
  AND `rejections`.`time_ns` BETWEEN %(time_ns_1)s
  AND %(time_ns_2)s
  AND `rejections`.`reason` != %(reason_1)s
GROUP BY `rejections`.`signal`,
  `rejections`.`reason`
ORDER BY count(*) DESC,
  `rejections`.`signal`,
  `rejections`.`reason`
LIMIT %(param_1)s
;
