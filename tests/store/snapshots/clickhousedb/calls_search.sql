SELECT `spans`.`trace_id`,
  `spans`.`span_id`,
  `spans`.`name`,
  `spans`.`role`,
  `spans`.`start_ns`,
  `spans`.`end_ns`,
  `spans`.`provider`,
  `spans`.`input_tokens`,
  `spans`.`output_tokens`,
  `spans`.`cache_read_tokens`,
  `spans`.`reasoning_tokens`,
  `spans`.`ttft_ns`,
  `spans`.`is_streaming`,
  `spans`.`error`,
  `spans`.`error_type`,
  `spans`.`service_name`,
  `spans`.`environment`,
  `spans`.`scope_name`,
  `spans`.`reason`,
  `spans`.`user_id`,
  `spans`.`session_id`,
  `spans`.`agent_name`,
  `spans`.`agent_id`,
  `spans`.`agentlens_agent_id`,
  coalesce(`spans`.`response_model`, `spans`.`request_model`) AS `model_label`,
  coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) AS `call_cost`,
  coalesce(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`), -1.0) AS `order_key`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
ORDER BY coalesce(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`), -1.0) DESC,
  `spans`.`start_ns` DESC,
  `spans`.`trace_id` DESC,
  `spans`.`span_id` DESC
LIMIT %(param_1)s
;

SELECT `trace_values`.`of_trace`,
  `trace_values`.`trace_agent_name`,
  `trace_values`.`trace_session_id`,
  `trace_values`.`trace_user_id`
FROM (
    SELECT `spans_1`.`trace_id` AS `of_trace`,
      argMinIf(`spans_1`.`agent_name`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`agent_name` IS NOT NULL) AS `trace_agent_name`,
      argMinIf(`spans_1`.`session_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`session_id` IS NOT NULL) AS `trace_session_id`,
      argMinIf(`spans_1`.`user_id`, tuple(`spans_1`.`parent_span_id` IS NOT NULL, `spans_1`.`start_ns`, `spans_1`.`span_id`), `spans_1`.`user_id` IS NOT NULL) AS `trace_user_id`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_1)s
      AND (`spans_1`.`agent_name` IS NOT NULL OR `spans_1`.`session_id` IS NOT NULL OR `spans_1`.`user_id` IS NOT NULL)
      AND `spans_1`.`trace_id` IN (
        SELECT `spans`.`trace_id`
        FROM `spans`
        WHERE `spans`.`trace_id` IN (unhex(%(trace_id_1_1)s), unhex(%(trace_id_1_2)s), unhex(%(trace_id_1_3)s), unhex(%(trace_id_1_4)s), unhex(%(trace_id_1_5)s), unhex(%(trace_id_1_6)s), unhex(%(trace_id_1_7)s), unhex(%(trace_id_1_8)s), unhex(%(trace_id_1_9)s), unhex(%(trace_id_1_10)s), unhex(%(trace_id_1_11)s), unhex(%(trace_id_1_12)s), unhex(%(trace_id_1_13)s), unhex(%(trace_id_1_14)s), unhex(%(trace_id_1_15)s), unhex(%(trace_id_1_16)s), unhex(%(trace_id_1_17)s), unhex(%(trace_id_1_18)s), unhex(%(trace_id_1_19)s), unhex(%(trace_id_1_20)s), unhex(%(trace_id_1_21)s), unhex(%(trace_id_1_22)s), unhex(%(trace_id_1_23)s), unhex(%(trace_id_1_24)s), unhex(%(trace_id_1_25)s), unhex(%(trace_id_1_26)s), unhex(%(trace_id_1_27)s), unhex(%(trace_id_1_28)s), unhex(%(trace_id_1_29)s), unhex(%(trace_id_1_30)s), unhex(%(trace_id_1_31)s), unhex(%(trace_id_1_32)s), unhex(%(trace_id_1_33)s), unhex(%(trace_id_1_34)s), unhex(%(trace_id_1_35)s), unhex(%(trace_id_1_36)s), unhex(%(trace_id_1_37)s)))
    GROUP BY `spans_1`.`trace_id`) AS `trace_values`
LIMIT %(param_1)s
;

SELECT count(*) AS `count_1`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
LIMIT %(param_1)s
;
