SELECT count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
  CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_5)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_6)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
LIMIT %(param_5)s
;

SELECT `spans`.`tags` AS `text`,
  count(*) AS `times`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
  AND `spans`.`tags` IS NOT NULL
GROUP BY `spans`.`tags`
ORDER BY 2 DESC,
  1
LIMIT %(param_1)s
;

SELECT `spans`.`request_tags` AS `text`,
  count(*) AS `times`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`start_ns` BETWEEN %(start_ns_1)s
  AND %(start_ns_2)s
  AND `spans`.`request_tags` IS NOT NULL
GROUP BY `spans`.`request_tags`
ORDER BY 2 DESC,
  1
LIMIT %(param_1)s
;

SELECT count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `m_latency_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `m_latency_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s) END AS `m_ttft_p50`,
  CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_5)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_6)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`,
  max(`spans`.`start_ns`) AS `last_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND `spans`.`trace_id` IN (
    SELECT `spans_1`.`trace_id`
    FROM `spans` AS `spans_1`
    WHERE `spans_1`.`project` = %(project_2)s
      AND has(JSONExtract(ifNull(`spans_1`.`tags`, '[]'), 'Array(String)'), %(param_5)s))
LIMIT %(param_6)s
;

SELECT count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `m_latency_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `m_latency_p95`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s) END AS `m_ttft_p50`,
  CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_5)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_6)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`,
  max(`spans`.`start_ns`) AS `last_ns`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
  AND (`spans`.`trace_id` IN (
        SELECT `spans_1`.`trace_id`
        FROM `spans` AS `spans_1`
        WHERE `spans_1`.`project` = %(project_2)s
          AND has(JSONExtract(ifNull(`spans_1`.`tags`, '[]'), 'Array(String)'), %(param_5)s)) OR coalesce(JSONExtract(ifNull(`spans`.`request_tags`, '{}'), %(param_6)s, 'Nullable(String)') = %(JSONExtract_1)s, false))
LIMIT %(param_7)s
;
