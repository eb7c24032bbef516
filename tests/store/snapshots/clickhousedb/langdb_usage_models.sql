SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`user_id` IS NULL
LIMIT %(param_1)s
;

SELECT min(`spans`.`start_ns`) AS `min_1`,
  max(`spans`.`start_ns`) AS `max_1`
FROM `spans`
LIMIT %(param_1)s
;

SELECT `few`.`bucket_start`,
  coalesce(`few`.`provider`, %(coalesce_1)s) AS `provider_name`,
  coalesce(CASE WHEN (position('/' IN coalesce(`few`.`response_model`, `few`.`request_model`)) > %(position_1)s) THEN CASE WHEN (position('/' IN coalesce(`few`.`response_model`, `few`.`request_model`)) < length(coalesce(`few`.`response_model`, `few`.`request_model`)) AND `few`.`provider` IS NOT NULL AND coalesce(`few`.`provider_inferred`, false) = false AND (lower(substr(coalesce(`few`.`response_model`, `few`.`request_model`), %(substr_1)s, position('/' IN coalesce(`few`.`response_model`, `few`.`request_model`)) - %(position_2)s)) = lower(`few`.`provider`) OR concat(`few`.`provider`, '/', lower(substr(coalesce(`few`.`response_model`, `few`.`request_model`), %(substr_1)s, position('/' IN coalesce(`few`.`response_model`, `few`.`request_model`)) - %(position_2)s))) IN (… 60 parameters))) THEN substr(coalesce(`few`.`response_model`, `few`.`request_model`), position('/' IN coalesce(`few`.`response_model`, `few`.`request_model`)) + %(position_3)s) ELSE coalesce(`few`.`response_model`, `few`.`request_model`) END ELSE coalesce(`few`.`response_model`, `few`.`request_model`) END, %(coalesce_2)s) AS `model_label`,
  sumOrNull(toInt128(`few`.`input_sum`)) AS `input_sum`,
  sumOrNull(toInt128(`few`.`output_sum`)) AS `output_sum`,
  sumKahanOrNull(`few`.`cost_sum`) AS `cost_sum`
FROM (
    SELECT multiply(toInt64(toInt32(makeDate32(toYear(fromUnixTimestamp64Nano(`spans`.`start_ns`, 'UTC')), toMonth(fromUnixTimestamp64Nano(`spans`.`start_ns`, 'UTC')), 1))), 86400) AS `bucket_start`,
      `spans`.`provider` AS `provider`,
      `spans`.`provider_inferred` AS `provider_inferred`,
      `spans`.`request_model` AS `request_model`,
      `spans`.`response_model` AS `response_model`,
      sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
      sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
      sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `cost_sum`
    FROM `spans`
    LEFT OUTER JOIN (
        SELECT `spans_1`.`trace_id` AS `of_trace`,
          argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) AS `trace_user_id`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_1)s
          AND `spans_1`.`user_id` IS NOT NULL
          AND `spans_1`.`trace_id` IN (
            SELECT `spans_2`.`trace_id`
            FROM `spans` AS `spans_2`
            WHERE `spans_2`.`project` = %(project_2)s
              AND `spans_2`.`user_id` = %(user_id_1)s)
        GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
    WHERE `spans`.`project` = %(project_3)s
      AND `spans`.`counted` = true
      AND `spans`.`start_ns` >= %(start_ns_1)s
      AND `spans`.`start_ns` <= %(start_ns_2)s
      AND `spans`.`trace_id` IN (
        SELECT `spans_2`.`trace_id`
        FROM `spans` AS `spans_2`
        WHERE `spans_2`.`project` = %(project_2)s
          AND `spans_2`.`user_id` = %(user_id_1)s)
      AND coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`) = %(coalesce_3)s
    GROUP BY 1,
      2,
      3,
      4,
      5) AS `few`
GROUP BY 1,
  2,
  3
LIMIT %(param_1)s
;
