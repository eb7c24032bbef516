SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`session_id` IS NULL
LIMIT %(param_1)s
;

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

SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`repo_id` IS NOT NULL
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`service_namespace` IS NOT NULL
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`ai_llm_id` IS NOT NULL
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`api_key_id` IS NOT NULL
LIMIT %(param_1)s
;

SELECT `spans`.`start_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`key_id` IS NOT NULL
LIMIT %(param_1)s
;

SELECT `few`.`key_0` AS `bucket_start`,
  coalesce(`few`.`key_1`, CASE WHEN (`few`.`key_2` IS NOT NULL AND `few`.`key_3` IS NOT NULL) THEN concat(`few`.`key_2`, '/', `few`.`key_3`) ELSE coalesce(`few`.`key_2`, `few`.`key_3`) END, %(coalesce_1)s) AS `by_repo_id`,
  coalesce(`few`.`key_4`, CASE WHEN (`few`.`key_5` IS NOT NULL AND CASE WHEN (`few`.`key_6` IS NOT NULL AND CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END IS NOT NULL) THEN concat(`few`.`key_6`, ':', CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) ELSE coalesce(`few`.`key_6`, CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) END IS NOT NULL) THEN concat(`few`.`key_5`, ':', CASE WHEN (`few`.`key_6` IS NOT NULL AND CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END IS NOT NULL) THEN concat(`few`.`key_6`, ':', CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) ELSE coalesce(`few`.`key_6`, CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) END) ELSE coalesce(`few`.`key_5`, CASE WHEN (`few`.`key_6` IS NOT NULL AND CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END IS NOT NULL) THEN concat(`few`.`key_6`, ':', CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) ELSE coalesce(`few`.`key_6`, CASE WHEN (`few`.`key_6` IS NOT NULL) THEN CAST(`few`.`key_7` AS TEXT) END) END) END, %(coalesce_2)s) AS `by_ai_llm_id`,
  coalesce(`few`.`key_8`, `few`.`key_9`, %(coalesce_3)s) AS `by_api_key_id`,
  CASE WHEN (`few`.`key_5` = %(key_5_1)s) THEN %(param_1)s WHEN (`few`.`key_5` = %(key_5_2)s) THEN %(param_2)s WHEN (`few`.`key_5` = %(key_5_3)s) THEN %(param_3)s WHEN (`few`.`key_5` LIKE %(key_5_4)s || '%%') THEN %(param_4)s ELSE coalesce(`few`.`key_5`, %(coalesce_4)s) END AS `by_llm_type`,
  coalesce(`few`.`key_11`, `few`.`key_10`, %(coalesce_5)s) AS `by_llm_model`,
  coalesce(`few`.`key_6`, %(coalesce_6)s) AS `by_host`,
  coalesce(`few`.`key_12`, %(coalesce_7)s) AS `by_user_id`,
  coalesce(`few`.`key_13`, %(coalesce_8)s) AS `by_session_id`,
  sumOrNull(toInt128(`few`.`call_count`)) AS `sumOrNull_1`,
  CAST(sumOrNull(toInt128(`few`.`input_sum`)) AS TEXT) AS `input_sum_text`,
  CAST(sumOrNull(toInt128(`few`.`output_sum`)) AS TEXT) AS `output_sum_text`,
  CAST(sumOrNull(toInt128(`few`.`duration_ns_sum`)) AS TEXT) AS `duration_ns_sum_text`
FROM (
    SELECT minus(intDiv(`spans`.`start_ns`, 1000000000), modulo(plus(intDiv(`spans`.`start_ns`, 1000000000), 0), 86400)) AS `key_0`,
      `spans`.`repo_id` AS `key_1`,
      `spans`.`service_namespace` AS `key_2`,
      `spans`.`service_name` AS `key_3`,
      `spans`.`ai_llm_id` AS `key_4`,
      `spans`.`provider` AS `key_5`,
      `spans`.`server_address` AS `key_6`,
      `spans`.`server_port` AS `key_7`,
      `spans`.`api_key_id` AS `key_8`,
      `spans`.`key_id` AS `key_9`,
      `spans`.`request_model` AS `key_10`,
      `spans`.`response_model` AS `key_11`,
      coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`) AS `key_12`,
      coalesce(`spans`.`session_id`, `trace_values`.`trace_session_id`) AS `key_13`,
      count(*) AS `call_count`,
      sumOrNull(toInt128(`spans`.`input_tokens`)) AS `input_sum`,
      sumOrNull(toInt128(`spans`.`output_tokens`)) AS `output_sum`,
      sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS `duration_ns_sum`
    FROM `spans`
    LEFT OUTER JOIN (
        SELECT `spans_1`.`trace_id` AS `of_trace`,
          argMinIf(`spans_1`.`session_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`session_id` IS NOT NULL) AS `trace_session_id`,
          argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) AS `trace_user_id`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_1)s
          AND (`spans_1`.`session_id` IS NOT NULL OR `spans_1`.`user_id` IS NOT NULL)
        GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
    WHERE `spans`.`project` = %(project_2)s
      AND `spans`.`counted` = true
      AND `spans`.`start_ns` >= %(start_ns_1)s
      AND `spans`.`start_ns` <= %(start_ns_2)s
    GROUP BY 1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
      10,
      11,
      12,
      13,
      14) AS `few`
GROUP BY 1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9
ORDER BY 1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9
LIMIT %(param_5)s
;

SELECT `findings`.`project`
FROM `findings`
WHERE `findings`.`project` = %(project_1)s
LIMIT %(param_1)s
;

SELECT `findings`.`trace_id`,
  `findings`.`span_id`,
  `findings`.`time_ns`,
  `findings`.`action`,
  `findings`.`severity`
FROM `findings`
WHERE `findings`.`project` = %(project_1)s
  AND (`findings`.`time_ns` >= %(time_ns_1)s AND `findings`.`time_ns` <= %(time_ns_2)s OR `findings`.`trace_id` IN (
        SELECT `spans_1`.`trace_id`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_2)s
          AND `spans_1`.`counted` = true
          AND `spans_1`.`start_ns` >= %(start_ns_1)s
          AND `spans_1`.`start_ns` <= %(start_ns_2)s))
LIMIT %(param_1)s
;

SELECT `spans`.`role`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`role` = %(role_1)s
LIMIT %(param_1)s
;

SELECT `spans`.`trace_id`,
  `spans`.`span_id`,
  `spans`.`parent_span_id`,
  `spans`.`role`,
  `spans`.`counted`,
  `spans`.`suppressed_by`,
  `spans`.`start_ns`,
  `spans`.`end_ns`,
  `spans`.`input_tokens`,
  `spans`.`output_tokens`,
  coalesce(`spans`.`repo_id`, CASE WHEN (`spans`.`service_namespace` IS NOT NULL AND `spans`.`service_name` IS NOT NULL) THEN concat(`spans`.`service_namespace`, '/', `spans`.`service_name`) ELSE coalesce(`spans`.`service_namespace`, `spans`.`service_name`) END, %(coalesce_1)s) AS `by_repo_id`,
  coalesce(`spans`.`ai_llm_id`, CASE WHEN (`spans`.`provider` IS NOT NULL AND CASE WHEN (`spans`.`server_address` IS NOT NULL AND CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END IS NOT NULL) THEN concat(`spans`.`server_address`, ':', CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) ELSE coalesce(`spans`.`server_address`, CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) END IS NOT NULL) THEN concat(`spans`.`provider`, ':', CASE WHEN (`spans`.`server_address` IS NOT NULL AND CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END IS NOT NULL) THEN concat(`spans`.`server_address`, ':', CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) ELSE coalesce(`spans`.`server_address`, CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) END) ELSE coalesce(`spans`.`provider`, CASE WHEN (`spans`.`server_address` IS NOT NULL AND CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END IS NOT NULL) THEN concat(`spans`.`server_address`, ':', CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) ELSE coalesce(`spans`.`server_address`, CASE WHEN (`spans`.`server_address` IS NOT NULL) THEN CAST(`spans`.`server_port` AS TEXT) END) END) END, %(coalesce_2)s) AS `by_ai_llm_id`,
  coalesce(`spans`.`api_key_id`, `spans`.`key_id`, %(coalesce_3)s) AS `by_api_key_id`,
  CASE WHEN (`spans`.`provider` = %(provider_1)s) THEN %(param_1)s WHEN (`spans`.`provider` = %(provider_2)s) THEN %(param_2)s WHEN (`spans`.`provider` = %(provider_3)s) THEN %(param_3)s WHEN (`spans`.`provider` LIKE %(provider_4)s || '%%') THEN %(param_4)s ELSE coalesce(`spans`.`provider`, %(coalesce_4)s) END AS `by_llm_type`,
  coalesce(`spans`.`response_model`, `spans`.`request_model`, %(coalesce_5)s) AS `by_llm_model`,
  coalesce(`spans`.`server_address`, %(coalesce_6)s) AS `by_host`,
  coalesce(coalesce(`spans`.`user_id`, `trace_values`.`trace_user_id`), %(coalesce_7)s) AS `by_user_id`,
  coalesce(coalesce(`spans`.`session_id`, `trace_values`.`trace_session_id`), %(coalesce_8)s) AS `by_session_id`
FROM `spans`
LEFT OUTER JOIN (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      argMinIf(`spans_1`.`session_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`session_id` IS NOT NULL) AS `trace_session_id`,
      argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) AS `trace_user_id`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND (`spans_1`.`session_id` IS NOT NULL OR `spans_1`.`user_id` IS NOT NULL)
      AND `spans_1`.`trace_id` IN (
        SELECT `traces`.`trace_id`
        FROM (
            SELECT `asked`.`trace_id` AS `trace_id`
            FROM (
                SELECT `findings`.`trace_id` AS `trace_id`
                FROM `findings`
                WHERE `findings`.`project` = %(project_2)s
                  AND (`findings`.`time_ns` >= %(time_ns_1)s AND `findings`.`time_ns` <= %(time_ns_2)s OR `findings`.`trace_id` IN (
                        SELECT `spans_2`.`trace_id`
                        FROM `spans` AS `spans_2`
                        WHERE `spans_2`.`project` = %(project_3)s
                          AND `spans_2`.`counted` = true
                          AND `spans_2`.`start_ns` >= %(start_ns_1)s
                          AND `spans_2`.`start_ns` <= %(start_ns_2)s))
                UNION ALL
                SELECT `spans_3`.`trace_id` AS `trace_id`
                FROM `spans` AS `spans_3`
                WHERE `spans_3`.`project` = %(project_4)s
                  AND `spans_3`.`role` = %(role_1)s
                  AND `spans_3`.`trace_id` IN (
                    SELECT `spans_4`.`trace_id`
                    FROM `spans` AS `spans_4`
                    WHERE `spans_4`.`project` = %(project_5)s
                      AND `spans_4`.`counted` = true
                      AND `spans_4`.`start_ns` >= %(start_ns_3)s
                      AND `spans_4`.`start_ns` <= %(start_ns_4)s)
                  AND (`spans_3`.`input_tokens` > %(input_tokens_1)s OR `spans_3`.`output_tokens` > %(output_tokens_1)s OR (`spans_3`.`trace_id`, `spans_3`.`span_id`) IN (
                        SELECT `spans_5`.`trace_id`,
                          `spans_5`.`parent_span_id`
                        FROM `spans` AS `spans_5`
                        WHERE `spans_5`.`project` = %(project_6)s
                          AND `spans_5`.`parent_span_id` IS NOT NULL))) AS `asked`
            UNION ALL
            SELECT `spans_6`.`trace_id` AS `trace_id`
            FROM `spans` AS `spans_6`
            WHERE `spans_6`.`project` = %(project_7)s
              AND `spans_6`.`counted` = true
              AND `spans_6`.`span_id` IN (
                SELECT `spans_7`.`suppressed_by`
                FROM `spans` AS `spans_7`
                WHERE `spans_7`.`project` = %(project_8)s
                  AND `spans_7`.`suppressed_by` IS NOT NULL
                  AND `spans_7`.`trace_id` IN (
                    SELECT `asked`.`trace_id`
                    FROM (
                        SELECT `findings`.`trace_id` AS `trace_id`
                        FROM `findings`
                        WHERE `findings`.`project` = %(project_2)s
                          AND (`findings`.`time_ns` >= %(time_ns_1)s AND `findings`.`time_ns` <= %(time_ns_2)s OR `findings`.`trace_id` IN (
                                SELECT `spans_2`.`trace_id`
                                FROM `spans` AS `spans_2`
                                WHERE `spans_2`.`project` = %(project_3)s
                                  AND `spans_2`.`counted` = true
                                  AND `spans_2`.`start_ns` >= %(start_ns_1)s
                                  AND `spans_2`.`start_ns` <= %(start_ns_2)s))
                        UNION ALL
                        SELECT `spans_3`.`trace_id` AS `trace_id`
                        FROM `spans` AS `spans_3`
                        WHERE `spans_3`.`project` = %(project_4)s
                          AND `spans_3`.`role` = %(role_1)s
                          AND `spans_3`.`trace_id` IN (
                            SELECT `spans_4`.`trace_id`
                            FROM `spans` AS `spans_4`
                            WHERE `spans_4`.`project` = %(project_5)s
                              AND `spans_4`.`counted` = true
                              AND `spans_4`.`start_ns` >= %(start_ns_3)s
                              AND `spans_4`.`start_ns` <= %(start_ns_4)s)
                          AND (`spans_3`.`input_tokens` > %(input_tokens_1)s OR `spans_3`.`output_tokens` > %(output_tokens_1)s OR (`spans_3`.`trace_id`, `spans_3`.`span_id`) IN (
                                SELECT `spans_5`.`trace_id`,
                                  `spans_5`.`parent_span_id`
                                FROM `spans` AS `spans_5`
                                WHERE `spans_5`.`project` = %(project_6)s
                                  AND `spans_5`.`parent_span_id` IS NOT NULL))) AS `asked`))) AS `traces`)
    GROUP BY `spans_1`.`trace_id`) AS `trace_values` ON `trace_values`.`of_trace` = `spans`.`trace_id`
WHERE `spans`.`project` = %(project_9)s
  AND `spans`.`trace_id` IN (
    SELECT `traces`.`trace_id`
    FROM (
        SELECT `asked`.`trace_id` AS `trace_id`
        FROM (
            SELECT `findings`.`trace_id` AS `trace_id`
            FROM `findings`
            WHERE `findings`.`project` = %(project_2)s
              AND (`findings`.`time_ns` >= %(time_ns_1)s AND `findings`.`time_ns` <= %(time_ns_2)s OR `findings`.`trace_id` IN (
                    SELECT `spans_2`.`trace_id`
                    FROM `spans` AS `spans_2`
                    WHERE `spans_2`.`project` = %(project_3)s
                      AND `spans_2`.`counted` = true
                      AND `spans_2`.`start_ns` >= %(start_ns_1)s
                      AND `spans_2`.`start_ns` <= %(start_ns_2)s))
            UNION ALL
            SELECT `spans_3`.`trace_id` AS `trace_id`
            FROM `spans` AS `spans_3`
            WHERE `spans_3`.`project` = %(project_4)s
              AND `spans_3`.`role` = %(role_1)s
              AND `spans_3`.`trace_id` IN (
                SELECT `spans_4`.`trace_id`
                FROM `spans` AS `spans_4`
                WHERE `spans_4`.`project` = %(project_5)s
                  AND `spans_4`.`counted` = true
                  AND `spans_4`.`start_ns` >= %(start_ns_3)s
                  AND `spans_4`.`start_ns` <= %(start_ns_4)s)
              AND (`spans_3`.`input_tokens` > %(input_tokens_1)s OR `spans_3`.`output_tokens` > %(output_tokens_1)s OR (`spans_3`.`trace_id`, `spans_3`.`span_id`) IN (
                    SELECT `spans_5`.`trace_id`,
                      `spans_5`.`parent_span_id`
                    FROM `spans` AS `spans_5`
                    WHERE `spans_5`.`project` = %(project_6)s
                      AND `spans_5`.`parent_span_id` IS NOT NULL))) AS `asked`
        UNION ALL
        SELECT `spans_6`.`trace_id` AS `trace_id`
        FROM `spans` AS `spans_6`
        WHERE `spans_6`.`project` = %(project_7)s
          AND `spans_6`.`counted` = true
          AND `spans_6`.`span_id` IN (
            SELECT `spans_7`.`suppressed_by`
            FROM `spans` AS `spans_7`
            WHERE `spans_7`.`project` = %(project_8)s
              AND `spans_7`.`suppressed_by` IS NOT NULL
              AND `spans_7`.`trace_id` IN (
                SELECT `asked`.`trace_id`
                FROM (
                    SELECT `findings`.`trace_id` AS `trace_id`
                    FROM `findings`
                    WHERE `findings`.`project` = %(project_2)s
                      AND (`findings`.`time_ns` >= %(time_ns_1)s AND `findings`.`time_ns` <= %(time_ns_2)s OR `findings`.`trace_id` IN (
                            SELECT `spans_2`.`trace_id`
                            FROM `spans` AS `spans_2`
                            WHERE `spans_2`.`project` = %(project_3)s
                              AND `spans_2`.`counted` = true
                              AND `spans_2`.`start_ns` >= %(start_ns_1)s
                              AND `spans_2`.`start_ns` <= %(start_ns_2)s))
                    UNION ALL
                    SELECT `spans_3`.`trace_id` AS `trace_id`
                    FROM `spans` AS `spans_3`
                    WHERE `spans_3`.`project` = %(project_4)s
                      AND `spans_3`.`role` = %(role_1)s
                      AND `spans_3`.`trace_id` IN (
                        SELECT `spans_4`.`trace_id`
                        FROM `spans` AS `spans_4`
                        WHERE `spans_4`.`project` = %(project_5)s
                          AND `spans_4`.`counted` = true
                          AND `spans_4`.`start_ns` >= %(start_ns_3)s
                          AND `spans_4`.`start_ns` <= %(start_ns_4)s)
                      AND (`spans_3`.`input_tokens` > %(input_tokens_1)s OR `spans_3`.`output_tokens` > %(output_tokens_1)s OR (`spans_3`.`trace_id`, `spans_3`.`span_id`) IN (
                            SELECT `spans_5`.`trace_id`,
                              `spans_5`.`parent_span_id`
                            FROM `spans` AS `spans_5`
                            WHERE `spans_5`.`project` = %(project_6)s
                              AND `spans_5`.`parent_span_id` IS NOT NULL))) AS `asked`))) AS `traces`)
LIMIT %(param_5)s
;
